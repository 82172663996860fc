"""Prints the processor's microseconds for what is counted and logged of one fax. The lines go to standard error."""

import os
import time

import structlog

from dispatcher.core.histograms import CALLBACK_LAG, SUBMIT
from dispatcher.core.job import AttemptOutcome, FailureCode, HistoryEntry, Record, State
from dispatcher.core.lifecycle import Event
from dispatcher.core.settlement.transition import Transition
from dispatcher.logs import configure_logs
from dispatcher.service.attempt_counts import counts_of
from dispatcher.settings import Settings

_FAXES = 20_000
_OLD = Record(state=State.ACCEPTED, country="US")
#: every fax fails, which costs a line of the log; a delivered one is not logged
_FAILURE = FailureCode(category="busy", error_type="CALL_ERROR", error_code=17)
_ENTRY = HistoryEntry(attempt=1, at_ms=1, outcome=AttemptOutcome.FAILED, failure=_FAILURE, why="The line was busy.")
_TRANSITION = Transition(
    event=Event.RETRIED, record=Record(state=State.WAITING, failure=_FAILURE), history=_ENTRY, pages=1
)


def main() -> None:
    configure_logs(Settings.model_validate({"log_format": "json"}), "worker-0")
    log = structlog.get_logger(__name__)
    began_s = time.process_time()
    for row in range(_FAXES):
        totals = {"attempts|accepted": 1} | SUBMIT.observation(0.4)
        totals |= {**counts_of(_OLD, _TRANSITION), **CALLBACK_LAG.observation(0.4)}
        log.info("attempt ended", job=f"b.{row}", attempt=1, outcome="failed", category="busy", why=_ENTRY.why)
    used_s = time.process_time() - began_s
    os.write(1, f"{used_s / _FAXES * 1e6:.2f}\n".encode())


if __name__ == "__main__":
    main()
