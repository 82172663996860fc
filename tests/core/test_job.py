"""The words of a job."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.core.job import FINAL, LIVE, AttemptOutcome, HistoryEntry, JobId, Record, State, attempts_made


@given(st.from_regex(r"[0-9a-z]{1,20}", fullmatch=True), st.integers(0, 10**9))
def test_a_job_id_is_read_as_it_is_written(batch: str, row: int) -> None:
    assert JobId.parse(str(JobId(batch, row))) == JobId(batch, row)


@pytest.mark.parametrize(
    "text", ["", "b", "b.", ".1", "b.x", "b.-1", "b.1.5", "b/1.2", "b.²", "b. 1", "b." + "9" * 5000]
)
def test_what_is_no_job_id_is_refused_by_name(text: str) -> None:
    with pytest.raises(ValueError, match="is not a job id of the form"):
        JobId.parse(text)


def test_states_are_named_in_small_letters_and_known_to_be_final() -> None:
    assert State.DELIVERED_UNCONFIRMED.label == "delivered_unconfirmed"
    assert [state.final for state in (*LIVE, *FINAL)] == [False] * 4 + [True] * 5


def entry(attempt: int, outcome: AttemptOutcome) -> HistoryEntry:
    return HistoryEntry(attempt=attempt, at_ms=1, outcome=outcome)


@pytest.mark.parametrize(
    ("record", "history", "expected"),
    [
        (Record(), (), 0),
        (Record(attempt=3), (), 0),
        (Record(state=State.DELIVERED, attempt=3), (), 1),
        (
            Record(state=State.DELIVERED, attempt=4),
            (entry(2, AttemptOutcome.FAILED), entry(3, AttemptOutcome.VANISHED)),
            3,
        ),
        (Record(state=State.FAILED, attempt=2), (entry(1, AttemptOutcome.FAILED), entry(2, AttemptOutcome.FAILED)), 2),
        (Record(state=State.FAILED, attempt=1), (entry(1, AttemptOutcome.REFUSED),), 0),
        (Record(state=State.SENDING, attempt=2), (entry(1, AttemptOutcome.FAILED), entry(1, AttemptOutcome.LATE)), 2),
    ],
)
def test_attempts_are_counted_and_sends_that_did_not_arrive_are_not(
    record: Record, history: tuple[HistoryEntry, ...], expected: int
) -> None:
    assert attempts_made(record, history) == expected


def test_a_callback_that_could_not_be_confirmed_is_no_attempt() -> None:
    unconfirmed = HistoryEntry(attempt=1, at_ms=1, outcome=AttemptOutcome.UNCONFIRMED_CALLBACK, fax_id="X1")
    assert attempts_made(Record(state=State.WAITING, attempt=1), [unconfirmed]) == 0
    assert attempts_made(Record(state=State.DELIVERED, attempt=1), [unconfirmed]) == 1
