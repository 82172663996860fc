"""What a fax means whose attempt the record does not know, because the store has lost the write that began it."""

import pytest

from dispatcher.core.job import AttemptOutcome, FaxFate, HistoryEntry, Record, State
from dispatcher.core.outcome import Accepted, FaxUpdate, Unclear
from dispatcher.core.settlement.fax_update import after_update
from dispatcher.core.settlement.lost_writes import LostWrite
from dispatcher.core.settlement.send_result import after_send
from dispatcher.core.settlement.transition import Transition
from tests.core.settlement.samples import (
    BEGAN,
    BUSY,
    COMPLETED,
    UNFINISHED,
    accepted,
    case,
    entry,
    failure,
    fax_update,
    leased,
    sending,
    waiting,
)

LOST = LostWrite(attempt=2, created_ms=BEGAN + 200)
FINAL = [waiting(state=state, fax_id="F1") for state in State if state.final]


def state_of(record: Record) -> str:
    return record.state.label


def adopted(record: Record, update: FaxUpdate) -> Transition:
    transition = after_update(record, update, case())
    assert transition is not None
    return transition


@pytest.mark.parametrize("record", [waiting(), leased(), sending()], ids=state_of)
@pytest.mark.parametrize(
    ("update", "state"),
    [
        (fax_update(UNFINISHED, "F2", attempt=2), State.ACCEPTED),
        (fax_update(COMPLETED, "F2", attempt=2), State.DELIVERED),
        (failure(BUSY, "F2", attempt=2), State.WAITING),
    ],
    ids=["unfinished", "completed", "failed"],
)
def test_a_lost_attempt_is_adopted_by_a_job_that_has_no_other_fax(
    record: Record, update: FaxUpdate, state: State
) -> None:
    """The record takes its number, which is never given again; the fax decides; the attempt counts, and so does the one
    that was being sent."""
    transition = adopted(record, update)
    assert (transition.record.state, transition.record.attempt, transition.record.fax_id) == (state, 2, "F2")
    assert (transition.lost, transition.spent) == (LOST, 2 if record.state is State.SENDING else 1)


@pytest.mark.parametrize("record", [accepted("F1"), *FINAL], ids=state_of)
def test_a_job_that_has_a_fax_keeps_it_and_the_lost_attempt_is_evidence(record: Record) -> None:
    transition = adopted(record, fax_update(UNFINISHED, "F2", attempt=2))
    assert (transition.event, transition.record.state, transition.record.fax_id) == (None, record.state, "F1")
    assert (transition.record.attempt, transition.lost) == (2, LOST)
    assert transition.history is not None
    assert (transition.history.fax_id, transition.history.fate) == ("F2", FaxFate.UNFINISHED)


def test_the_lost_attempt_decides_once_the_fax_before_it_has_failed() -> None:
    late = adopted(accepted("F1"), fax_update(UNFINISHED, "F2", attempt=2))
    assert late.history is not None
    transition = after_update(late.record, failure(BUSY, "F1", ended_ms=BEGAN + 100), case(late.history))
    assert transition is not None
    assert (transition.record.state, transition.record.fax_id, transition.record.doubled) == (
        State.ACCEPTED,
        "F2",
        False,
    )


@pytest.mark.parametrize("record", [waiting(attempt=2), sending(attempt=2), accepted("F2", attempt=2)], ids=state_of)
def test_what_the_record_knows_proves_no_loss(record: Record) -> None:
    for attempt in (1, 2):
        transition = after_update(record, fax_update(COMPLETED, "F2", attempt=attempt), case())
        assert transition is None or transition.lost is None


def test_an_answer_to_a_send_that_the_record_does_not_know_is_adopted() -> None:
    transition = after_send(leased(), Accepted(update=fax_update(UNFINISHED, "F2", attempt=2)), case(), attempt=2)
    assert transition is not None
    assert (transition.record.state, transition.lost) == (State.ACCEPTED, LOST)
    assert after_send(leased(), Unclear(reason="no answer"), case(), attempt=2) is None, "the list will tell"


@pytest.mark.parametrize(
    ("record", "known", "update"),
    [
        (accepted("F1"), None, fax_update(UNFINISHED, "F2")),
        (waiting(), entry(FaxFate.FAILED, "F1"), fax_update(COMPLETED, "F2")),
        (waiting(), entry(FaxFate.FAILED, "F1"), failure(BUSY, "F2")),
        (waiting(state=State.DELIVERED, fax_id="F1"), None, fax_update(COMPLETED, "F2")),
    ],
    ids=["one under way", "one failed, one delivered", "both failed", "both delivered"],
)
def test_two_faxes_of_one_attempt_were_accepted_twice(
    record: Record, known: HistoryEntry | None, update: FaxUpdate
) -> None:
    """The number of a lost attempt was given again. That is written down, whether they overlapped or not."""
    transition = after_update(record, update, case(*([known] if known else [])))
    assert transition is not None
    assert transition.accepted_twice
    assert transition.lost is None, "a callback's body may be anybody's"
    assert transition.history is not None
    assert (transition.history.outcome, transition.history.fax_id) == (AttemptOutcome.DOUBLED, "F2")
    assert transition.history.why.startswith("the provider has accepted two faxes of attempt 1")


def test_two_faxes_of_one_attempt_prove_a_loss_when_the_provider_itself_shows_our_labels() -> None:
    transition = after_update(accepted("F1"), fax_update(UNFINISHED, "F2", write_epoch=9), case())
    assert transition is not None
    assert (transition.accepted_twice, transition.lost) == (True, LostWrite(attempt=1, created_ms=BEGAN + 200))


def test_two_faxes_of_two_attempts_were_not() -> None:
    transition = after_update(
        waiting(attempt=2), fax_update(COMPLETED, "F2", attempt=2), case(entry(FaxFate.FAILED, "F1"))
    )
    assert transition is not None
    assert not transition.accepted_twice
