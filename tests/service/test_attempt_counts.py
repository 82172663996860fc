"""Tests of what the end of an attempt adds to the metric totals."""

import pytest

from dispatcher.core.job import AttemptOutcome, FailureCode, HistoryEntry, Record, State
from dispatcher.core.lifecycle import Event
from dispatcher.core.settlement.transition import Transition
from dispatcher.service.attempt_counts import counts_of
from dispatcher.store.codec import country_code

BUSY = FailureCode(category="busy", error_type="CALL_ERROR", error_code=17)
DE = country_code("DE")


def failed(failure: FailureCode, event: Event | None) -> Transition:
    """Return the transition of an attempt that failed."""
    entry = HistoryEntry(attempt=1, at_ms=1, outcome=AttemptOutcome.FAILED, failure=failure)
    return Transition(event=event, record=Record(state=State.WAITING, failure=failure), history=entry)


def counted(old: Record, transition: Transition, *names: str) -> dict[str, int]:
    """Return the counters of these names."""
    return {field: by for field, by in counts_of(old, transition).items() if field.split("|")[0] in names}


NAMES = ("retries", "retries_scheduled", "failure_codes", "countries")


@pytest.mark.parametrize(
    ("before", "transition", "expected"),
    [
        (
            FailureCode(),
            failed(BUSY, Event.RETRIED),
            {"retries_scheduled|busy": 1, "failure_codes|CALL_ERROR|17": 1, f"countries|{DE}|failed": 1},
        ),
        (
            BUSY,
            failed(FailureCode(category="no_answer", error_type="CALL_ERROR", error_code=99_999), Event.FAILED),
            {"retries|busy|failed": 1, "failure_codes|CALL_ERROR|other": 1, f"countries|{DE}|failed": 1},
        ),
        (
            BUSY,
            failed(FailureCode(category="unknown", error_type="+12025550101", error_code=7), Event.FAILED),
            {"retries|busy|failed": 1, "failure_codes|other|other": 1, f"countries|{DE}|failed": 1},
        ),
        (
            BUSY,
            Transition(event=Event.DELIVERED, record=Record(state=State.DELIVERED)),
            {"retries|busy|delivered": 1, f"countries|{DE}|delivered": 1},
        ),
        (
            FailureCode(),
            Transition(event=Event.DELIVERED, record=Record(state=State.DELIVERED)),
            {f"countries|{DE}|delivered": 1},
        ),
        (BUSY, Transition(event=Event.ACCEPTED, record=Record(state=State.ACCEPTED)), {}),
        (BUSY, failed(BUSY, None), {}),
    ],
)
def test_failures_and_retries_are_counted_when_an_attempt_ends(
    before: FailureCode, transition: Transition, expected: dict[str, int]
) -> None:
    old = Record(state=State.ACCEPTED, failure=before, country="DE")
    assert counted(old, transition, *NAMES) == expected


def test_pages_and_costs_only_grow() -> None:
    record = Record(state=State.DELIVERED)
    transition = Transition(event=Event.DELIVERED, record=record, pages=3, costs={"USD": 7_000, "EUR": -5})
    assert counted(Record(state=State.ACCEPTED), transition, "pages", "cost") == {"pages": 3, "cost|USD": 7_000}
