"""Records, news and cases that tests of the settlement share."""

from typing import Any

from dispatcher.core.job import AttemptOutcome, FailureCode, FailureCounters, FaxFate, HistoryEntry, Record, State
from dispatcher.core.outcome import FaxStatus, FaxUpdate
from dispatcher.core.policy.policy import Policy
from dispatcher.core.retry.context import DecisionContext

NOW = 1_772_532_000_000
BEGAN = NOW - 30_000
POLICY = Policy()
#: failures of a fax: type, code
BUSY = ("CALL_ERROR", 17)
BAD_NUMBER = ("CALL_ERROR", 34)
NO_FUNDS = ("FAX_ERROR", 46)
PAGE_UNCONFIRMED = ("FAX_ERROR", 8)
UNFINISHED, COMPLETED, FAILURE = FaxStatus.UNFINISHED, FaxStatus.COMPLETED, FaxStatus.FAILURE


def case(*history: HistoryEntry, polling: bool = False, now_ms: int = NOW, policy: Policy = POLICY) -> DecisionContext:
    """Chance is in the middle, where jitter moves nothing."""
    return DecisionContext(policy=policy, now_ms=now_ms, chance=0.5, history=history, polling=polling)


def nested(fields: dict[str, Any]) -> dict[str, Any]:
    """Put the fields of a failure and of the counters into values of their own."""
    values = dict(fields)
    failure = {name: values.pop(name) for name in FailureCode.__slots__ if name in values}
    counters = {name: values.pop(name) for name in FailureCounters.__slots__ if name in values}
    if failure:
        values["failure"] = FailureCode(**failure)
    if counters:
        values["counters"] = FailureCounters(**counters)
    return values


def waiting(**fields: Any) -> Record:
    return Record(**nested({"state": State.WAITING, "attempt": 1, "began_ms": BEGAN, **fields}))


def leased(**fields: Any) -> Record:
    return waiting(state=State.LEASED, lease=7, **fields)


def sending(**fields: Any) -> Record:
    return waiting(state=State.SENDING, lease=7, **fields)


def accepted(fax_id: str = "F1", **fields: Any) -> Record:
    return waiting(**{"state": State.ACCEPTED, "fax_id": fax_id, "changed_ms": BEGAN + 200, **fields})


def fax_update(status: FaxStatus, fax_id: str = "F1", *, attempt: int = 1, **fields: Any) -> FaxUpdate:
    return FaxUpdate(**{"fax_id": fax_id, "status": status, "attempt": attempt, "created_ms": BEGAN + 200, **fields})


def failure(pair: tuple[str, int], fax_id: str = "F1", **fields: Any) -> FaxUpdate:
    return fax_update(FAILURE, fax_id, error_type=pair[0], error_code=pair[1], **fields)


def entry(fate: FaxFate | None, fax_id: str = "F1", *, attempt: int = 1, **fields: Any) -> HistoryEntry:
    """Evidence of a fax, or with no fate what became of an attempt without one."""
    what = (
        {"outcome": AttemptOutcome.LATE, "fax_id": fax_id, "fate": fate}
        if fate
        else {"outcome": AttemptOutcome.VANISHED}
    )
    return HistoryEntry(**nested({"attempt": attempt, "at_ms": NOW, **what, **fields}))
