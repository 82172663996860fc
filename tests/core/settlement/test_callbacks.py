"""What a callback is worth: every case of the decision, and what holds of all of them."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.core.job import AttemptOutcome, FaxFate, Record, State
from dispatcher.core.outcome import FaxStatus, FaxUpdate
from dispatcher.core.retry.context import DecisionContext
from dispatcher.core.settlement.callbacks import (
    MAX_READS,
    Callback,
    CallbackProof,
    Judgement,
    Trust,
    after_unknown_ms,
    confirmed,
    count_read,
    judge_callback,
    shown_labels,
    shown_number,
    unconfirmed,
)
from dispatcher.core.settlement.fax_update import after_update
from dispatcher.core.settlement.known_faxes import known_faxes
from dispatcher.core.settlement.transition import Transition, send_deadline_ms
from tests.core.settlement.samples import (
    BEGAN,
    COMPLETED,
    NOW,
    POLICY,
    accepted,
    case,
    entry,
    fax_update,
    sending,
    waiting,
)

JOB, NUMBER = "a.0", "+12025550101"
RIGHT, ABSENT, WRONG = CallbackProof.RIGHT, CallbackProof.ABSENT, CallbackProof.WRONG
NUMBERS = {RIGHT: NUMBER, ABSENT: "", WRONG: "+12025550199"}
DEADLINE = send_deadline_ms(sending(), POLICY)
SEARCHED = DEADLINE + round(POLICY.search_period_s * 1000)
#: of an attempt that is being sent
MOMENTS = {"before the send deadline": DEADLINE - 400, "while it is searched": DEADLINE, "after the search": SEARCHED}
BEFORE, SEARCH, AFTER = MOMENTS
APPLY, DEFER, READ, NO_MORE, OTHERS = (
    *(Trust.APPLY, Trust.DEFER, Trust.READ),
    *(Trust.UNCONFIRMED, Trust.MISMATCHED),
)

#: whether the provider itself has named the fax, when it comes, what it shows: with reads left, and without
TABLE = {
    (True, BEFORE, RIGHT): (APPLY, APPLY),
    (True, SEARCH, RIGHT): (APPLY, APPLY),
    (True, AFTER, RIGHT): (APPLY, APPLY),
    (True, BEFORE, ABSENT): (READ, NO_MORE),
    (True, SEARCH, ABSENT): (READ, NO_MORE),
    (True, AFTER, ABSENT): (READ, NO_MORE),
    (False, BEFORE, RIGHT): (DEFER, DEFER),
    (False, SEARCH, RIGHT): (READ, DEFER),
    (False, AFTER, RIGHT): (READ, NO_MORE),
    (False, BEFORE, ABSENT): (DEFER, DEFER),
    (False, SEARCH, ABSENT): (READ, DEFER),
    (False, AFTER, ABSENT): (READ, NO_MORE),
    **{(named, moment, WRONG): (OTHERS, OTHERS) for named in (True, False) for moment in MOMENTS},
}
#: labels, number: what both show
TOGETHER = {
    (RIGHT, RIGHT): RIGHT,
    (RIGHT, ABSENT): ABSENT,
    (ABSENT, RIGHT): ABSENT,
    (ABSENT, ABSENT): ABSENT,
    **{(WRONG, number): WRONG for number in CallbackProof},
    **{(labels, WRONG): WRONG for labels in CallbackProof},
}


def callback(
    labels: CallbackProof = RIGHT, number: CallbackProof = RIGHT, *, fax_id: str = "F1", attempt: int = 1
) -> Callback:
    shown = fax_update(COMPLETED, fax_id, attempt=attempt, job=JOB, to=NUMBERS[number])
    return Callback(update=shown, labels=labels, number=NUMBER)


@pytest.mark.parametrize("reads", range(MAX_READS + 1))
@pytest.mark.parametrize(("named", "moment", "shown"), TABLE)
def test_every_case_of_an_attempt_that_is_being_sent(
    named: bool, moment: str, shown: CallbackProof, reads: int
) -> None:
    """The fax of an attempt that is being sent is named by evidence, which is in the history."""
    known = [entry(FaxFate.UNFINISHED)] if named else []
    now = case(*known, now_ms=MOMENTS[moment])
    expected = TABLE[named, moment, shown][reads >= MAX_READS]
    again_ms = 0
    if expected is DEFER:
        again_ms = DEADLINE if moment is BEFORE else SEARCHED
    for (labels, number), together in TOGETHER.items():
        if together is shown:
            judged = judge_callback(callback(labels, number), sending(confirming_reads=reads), now)
            assert (judged.trust, judged.again_ms) == (expected, again_ms), (labels, number)


def test_the_answer_to_the_post_is_looked_for_every_second() -> None:
    judged = judge_callback(callback(), sending(), case(now_ms=BEGAN))
    assert judged == Judgement(trust=DEFER, again_ms=BEGAN + 1_000)


def test_after_the_clock_was_set_back_nobody_waits_for_the_deadline() -> None:
    """It may be hours away, and the callback would be looked at every second."""
    judged = judge_callback(callback(), sending(), case(now_ms=BEGAN - 1))
    assert judged.trust is READ


@pytest.mark.parametrize("shown", [RIGHT, ABSENT])
@pytest.mark.parametrize(
    ("record", "attempt", "reads_left"),
    [
        (accepted("F2"), 1, True),
        (accepted("F2", confirming_reads=MAX_READS), 1, False),
        (waiting(), 1, True),
        (waiting(confirming_reads=MAX_READS), 1, False),
        (sending(attempt=2), 1, True),
        (sending(attempt=2, confirming_reads=MAX_READS), 1, False),
    ],
)
def test_nothing_is_waited_for_when_the_attempt_is_not_being_sent(
    record: Record, attempt: int, reads_left: bool, shown: CallbackProof
) -> None:
    judged = judge_callback(callback(shown, attempt=attempt), record, case(now_ms=BEGAN))
    assert judged.trust is (READ if reads_left else NO_MORE)


@pytest.mark.parametrize("shown", [RIGHT, ABSENT])
def test_an_attempt_above_the_records_proves_that_its_begin_was_lost(shown: CallbackProof) -> None:
    assert judge_callback(callback(shown, attempt=2), waiting(), case()).trust is Trust.ADOPT
    assert judge_callback(callback(WRONG, attempt=2), waiting(), case()).trust is OTHERS


@pytest.mark.parametrize(
    ("job", "attempt", "shown"),
    [(JOB, 2, RIGHT), ("", 2, ABSENT), (JOB, 0, ABSENT), ("", 0, ABSENT), ("a.1", 2, WRONG), (JOB, 1, WRONG)],
)
def test_labels_are_those_of_the_address(job: str, attempt: int, shown: CallbackProof) -> None:
    fax = FaxUpdate(fax_id="F1", status=COMPLETED, job=job, attempt=attempt)
    assert shown_labels(fax, JOB, 2) is shown


@pytest.mark.parametrize("shown", CallbackProof)
def test_the_number_is_the_jobs(shown: CallbackProof) -> None:
    assert shown_number(fax_update(COMPLETED, to=NUMBERS[shown]), NUMBER) is shown


def test_of_a_job_without_a_number_every_number_is_wrong() -> None:
    assert replace(callback(), number="").proof is WRONG


#: whether the provider itself has named the fax, job and attempt that the read shows: attempt that is applied, or none
READS = {
    (False, JOB, 1): 1,
    (False, JOB, 3): 3,
    (False, JOB, 0): 0,
    (False, "", 0): 0,
    (False, "a.1", 1): 0,
    (True, JOB, 3): 3,
    (True, JOB, 0): 2,
    (True, "", 0): 2,
    (True, "a.1", 1): 0,
}


@pytest.mark.parametrize(("named", "job", "attempt"), READS)
@pytest.mark.parametrize("number", CallbackProof)
def test_a_read_is_of_the_callbacks_job_or_of_nobodys(
    named: bool, job: str, attempt: int, number: CallbackProof
) -> None:
    read = fax_update(COMPLETED, attempt=attempt, job=job, to=NUMBERS[number])
    applied = confirmed(read, callback(), 2 if named else 0)
    expected = 0 if number is WRONG else READS[named, job, attempt]
    assert applied == (replace(read, job=JOB, attempt=expected) if expected else None)


def test_reads_come_when_an_unclear_send_is_looked_for() -> None:
    """Together they take as long as the search."""
    passed, now = [0.0], case()
    for reads in range(1, MAX_READS):
        passed.append(passed[-1] + (after_unknown_ms(reads, now) - NOW) / 1000)
    assert tuple(passed[1:]) == POLICY.lookups_s
    assert after_unknown_ms(MAX_READS + 1, now) == after_unknown_ms(len(POLICY.lookups_s), now)


def test_reads_are_counted_to_five() -> None:
    record, counts = sending(), []
    while transition := count_read(record, case()):
        record = transition.record
        counts.append(record.confirming_reads)
    assert counts == [1, 2, 3, 4, 5]


def test_an_unconfirmed_callback_leaves_one_line_and_a_job_five() -> None:
    now = case()
    for fax in ("X1", "X1", "X2", "X3", "X4", "X5", "X6"):
        transition = unconfirmed(accepted(), fax_update(COMPLETED, fax), now)
        if transition:
            assert transition.event is None
            assert transition.history
            assert transition.history.outcome is AttemptOutcome.UNCONFIRMED_CALLBACK
            now = replace(now, history=[*now.history, transition.history])
    assert [line.fax_id for line in now.history] == ["X1", "X2", "X3", "X4", "X5"]


FAXES = st.sampled_from(["F1", "F2", "X1"])
ATTEMPTS = st.integers(min_value=1, max_value=3)
RECORDS = st.builds(
    waiting,
    state=st.sampled_from([State.WAITING, State.LEASED, State.SENDING, State.ACCEPTED, State.DELIVERED, State.FAILED]),
    attempt=ATTEMPTS,
    fax_id=FAXES,
    confirming_reads=st.integers(min_value=0, max_value=MAX_READS),
)
CASES = st.builds(
    lambda lines, now_ms: case(*lines, now_ms=now_ms),
    st.lists(st.builds(entry, st.sampled_from(FaxFate), FAXES, attempt=ATTEMPTS), max_size=3),
    st.integers(min_value=BEGAN, max_value=SEARCHED + 60_000),
)
CALLBACKS = st.builds(
    lambda labels, number, fax_id, attempt, status, code: Callback(
        update=fax_update(
            status,
            fax_id,
            attempt=attempt,
            job=JOB,
            to=NUMBERS[number],
            error_type="CALL_ERROR" if status is FaxStatus.FAILURE else "",
            error_code=code if status is FaxStatus.FAILURE else 0,
        ),
        labels=labels,
        number=NUMBER,
    ),
    st.sampled_from(CallbackProof),
    st.sampled_from(CallbackProof),
    FAXES,
    ATTEMPTS,
    st.sampled_from(FaxStatus),
    st.sampled_from([17, 34]),
)


def step_alone(came: Callback, record: Record, now: DecisionContext) -> Transition | None:
    """What a callback does as long as nothing can be read."""
    match judge_callback(came, record, now).trust:
        case Trust.APPLY:
            return after_update(record, came.update, now)
        case Trust.ADOPT:
            return after_update(record, replace(came.update, status=FaxStatus.UNFINISHED, ended_ms=0), now)
        case Trust.UNCONFIRMED:
            return unconfirmed(record, came.update, now)
    return None


@given(CALLBACKS, RECORDS, CASES)
def test_a_callback_alone_ends_no_job_but_by_a_fax_that_the_provider_named(
    came: Callback, record: Record, now: DecisionContext
) -> None:
    transition = step_alone(came, record, now)
    if transition and transition.record.state is not record.state and transition.record.state.final:
        assert came.update.fax_id in known_faxes(record, now.history)
        assert (came.labels, shown_number(came.update, NUMBER)) == (RIGHT, RIGHT)


@given(CALLBACKS, RECORDS, CASES)
def test_one_that_contradicts_changes_nothing_and_any_other_is_heeded(
    came: Callback, record: Record, now: DecisionContext
) -> None:
    """Applied, read now or later, or kept in the history: a true callback is not lost."""
    judged = judge_callback(came, record, now)
    contradicts = WRONG in (came.labels, shown_number(came.update, NUMBER))
    assert (judged.trust is OTHERS) == contradicts
    if judged.trust is DEFER:
        assert now.now_ms < judged.again_ms <= SEARCHED


@given(CALLBACKS, RECORDS, CASES)
def test_a_callback_waits_only_for_the_attempt_that_is_being_sent(
    came: Callback, record: Record, now: DecisionContext
) -> None:
    if judge_callback(came, record, now).trust is DEFER:
        assert record.state is State.SENDING
        assert came.update.attempt == record.attempt
        assert now.now_ms < SEARCHED
