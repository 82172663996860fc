"""What it means that the provider was asked and had no news."""

from dataclasses import replace

import pytest

from dispatcher.core.job import AttemptOutcome, FaxFate, HistoryEntry, Record, State
from dispatcher.core.lifecycle import Event
from dispatcher.core.outcome import FaxUpdate
from dispatcher.core.policy import Policy
from dispatcher.core.retry_table.rule import Scope
from dispatcher.core.settlement.fax_update import after_update
from dispatcher.core.settlement.lookup import after_empty_look, after_read, is_last_look, look_due_ms, next_look_at_ms
from dispatcher.core.settlement.transition import HoldRequest, Transition, send_deadline_ms
from tests.core.settlement.samples import (
    BEGAN,
    BUSY,
    COMPLETED,
    NOW,
    POLICY,
    UNFINISHED,
    accepted,
    case,
    entry,
    failure,
    leased,
    news,
    sending,
    waiting,
)

DEADLINE = send_deadline_ms(sending(), POLICY)
LAST = len(POLICY.looks_s) - 1


def look(
    record: Record,
    *history: HistoryEntry,
    attempt: int = 1,
    late_ms: int = 0,
    exact: bool = True,
    answered: bool = True,
) -> Transition | None:
    """A look at the time at which it is due, or later."""
    asked_ms = look_due_ms(record, POLICY) + late_ms
    seen = case(*history, now_ms=asked_ms + 50)
    return after_empty_look(record, seen, attempt=attempt, asked_ms=asked_ms, exact=exact, answered=answered)


@pytest.mark.parametrize(("looks", "next_s"), [(0, 45), (1, 120), (2, 300)])
def test_an_unclear_send_is_looked_for_again_at_the_policy_s_times(looks: int, next_s: int) -> None:
    step = look(sending(looks=looks))
    assert step
    assert (step.event, step.record.looks) == (Event.NO_NEWS, looks + 1)
    assert step.next_ms == next_look_at_ms(sending(looks=looks + 1), POLICY)
    assert 0 <= step.next_ms - DEADLINE - next_s * 1000 < 30_000


@pytest.mark.parametrize("looks_s", [POLICY.looks_s, (1.0, 2.0, 4.0, 8.0), (5.0,), (0.0005, 300.0)], ids=str)
def test_looks_share_their_times_and_the_last_comes_when_it_is_due(looks_s: tuple[float, ...]) -> None:
    """Those of one time share a list. No look comes before its time, and none after the next one's."""
    policy = Policy(looks_s=looks_s)
    for began in range(BEGAN, BEGAN + 60_000, 777):
        due = [look_due_ms(sending(began_ms=began, looks=n), policy) for n in range(len(looks_s))]
        looks_ms = [next_look_at_ms(sending(began_ms=began, looks=n), policy) for n in range(len(looks_s))]
        assert all(early <= late for early, late in zip(due, looks_ms, strict=True))
        assert all(late <= following for late, following in zip(looks_ms, due[1:], strict=False))
        assert looks_ms[-1] == due[-1]
    if looks_s == POLICY.looks_s:
        assert all(look_ms % 30_000 == 0 for look_ms in looks_ms[:-1])


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("looks", range(LAST))
def test_a_look_that_comes_very_late_is_followed_by_the_last_at_once(looks: int, exact: bool) -> None:
    """It counts for all that were due by then but the last, which has to be made by itself."""
    step = look(sending(looks=looks), late_ms=600_000, exact=exact)
    assert step
    assert (step.event, step.record.looks) == (Event.NO_NEWS, LAST)
    assert step.next_ms == look_due_ms(sending(looks=looks), POLICY) + 600_050


@pytest.mark.parametrize("late_ms", [0, 600_000])
def test_a_window_without_it_does_not_write_an_attempt_off(late_ms: int) -> None:
    """However late it is: only the list of the number itself may."""
    assert look(sending(looks=LAST), late_ms=late_ms, exact=False) is None
    assert [is_last_look(sending(looks=looks), POLICY) for looks in range(LAST + 1)] == [False] * LAST + [True]


def test_a_send_without_an_answer_that_is_not_found_is_sent_again() -> None:
    """One attempt is spent, and the error of the attempt before is not repeated as this one's."""
    step = look(sending(looks=LAST, category="busy", error_type="CALL_ERROR", error_code=17))
    assert step
    assert step.history
    assert (step.event, step.record.state, step.spent, step.rest_s) == (Event.VANISHED, State.WAITING, 1, 0.0)
    assert (step.record.counters.server_errors, step.record.failure.category) == (1, "submit_unknown")
    assert (step.record.failure.error_type, step.record.failure.error_code) == ("http", 0)
    assert (step.history.outcome, step.history.fax_id, step.history.fate) == (AttemptOutcome.VANISHED, "", None)


def test_a_send_that_was_answered_with_500_and_not_found_waits_by_that_row() -> None:
    step = look(sending(looks=LAST, unclear=True, category="provider_error", error_type="http", error_code=500))
    assert step
    assert (step.record.failure.category, step.record.failure.error_code, step.record.unclear) == (
        "provider_error",
        500,
        False,
    )
    assert step.next_ms == DEADLINE + 300_050 + 5_000


def test_too_many_vanished_sends_end_the_job() -> None:
    step = look(sending(looks=LAST, server_errors=5))
    assert step
    assert (step.event, step.record.state, step.next_ms) == (Event.FAILED, State.FAILED, 0)


def test_vanished_sends_of_a_provider_that_answered_nobody_never_end_the_job() -> None:
    """Its history says that they count for nothing, and does not grow without end."""
    record, history = sending(looks=LAST, server_errors=5), list[HistoryEntry]()
    for attempt in range(1, 200):
        step = look(replace(record, attempt=attempt), *history, attempt=attempt, answered=False)
        assert step
        assert (step.event, step.record.state, step.record.counters.server_errors) == (Event.VANISHED, State.WAITING, 5)
        if step.history:
            history.append(step.history)
    assert len(history) == 20
    assert all(entry.excused for entry in history)


def test_an_outage_leaves_all_server_errors_to_a_job() -> None:
    """It has met one before, and nineteen failures while nobody was answered."""
    history = [entry(None, attempt=n, category="provider_error", excused=n > 1) for n in range(1, 21)]
    record = sending(attempt=21, looks=LAST, server_errors=1, unclear=True, error_type="http", error_code=500)
    step = look(record, *history, attempt=21)
    assert step
    assert (step.record.state, step.record.counters.server_errors) == (State.WAITING, 2)
    assert step.history
    assert not step.history.excused


@pytest.mark.parametrize("looks", range(LAST + 1))
def test_a_look_that_was_asked_before_its_time_counts_for_nothing(looks: int) -> None:
    """Two looks that overlap, or a message that came twice, do not shorten the settling time."""
    assert look(sending(looks=looks), late_ms=-101) is None


@pytest.mark.parametrize(
    "record",
    [waiting(), leased(), accepted(), sending(attempt=2), waiting(state=State.FAILED)],
    ids=lambda r: f"{r.state.label}-{r.attempt}",
)
def test_a_look_for_an_attempt_that_is_over_counts_for_nothing(record: Record) -> None:
    asked_ms = DEADLINE + 10**7
    assert after_empty_look(record, case(now_ms=asked_ms), attempt=1, asked_ms=asked_ms, exact=True) is None


@pytest.mark.parametrize(
    ("fate", "state"),
    [
        (FaxFate.UNFINISHED, State.ACCEPTED),
        (FaxFate.DELIVERED, State.DELIVERED),
        (FaxFate.UNCONFIRMED, State.DELIVERED_UNCONFIRMED),
        (FaxFate.FAILED, State.WAITING),
    ],
)
@pytest.mark.parametrize("server_errors", [0, 5])
def test_when_an_attempt_vanished_an_earlier_fax_decides(fate: FaxFate, state: State, server_errors: int) -> None:
    """The job is neither sent again nor given up while an earlier fax of it is delivered or may yet be."""
    record = sending(attempt=2, looks=LAST, server_errors=server_errors)
    asked_ms = look_due_ms(record, POLICY)
    evidence = entry(fate, "F1", pages_sent=2, pages_total=3, created_ms=77)
    step = after_empty_look(record, case(evidence, now_ms=asked_ms), attempt=2, asked_ms=asked_ms, exact=True)
    assert step
    failed = fate is FaxFate.FAILED
    assert step.record.state is (State.FAILED if failed and server_errors else state)
    if not failed:
        assert (step.record.fax_id, step.record.pages_sent, step.record.began_ms) == ("F1", 2, 77)
    assert not step.record.doubled
    assert step.history
    assert step.history.outcome is AttemptOutcome.VANISHED


@pytest.mark.parametrize(
    ("looks", "polling", "wait_s"),
    [(0, False, 120), (1, False, 300), (2, False, 600), (9, False, 600), (0, True, 20), (1, True, 30), (9, True, 60)],
)
def test_a_read_back_of_a_fax_under_way_is_repeated_at_the_policy_s_times(
    looks: int, polling: bool, wait_s: int
) -> None:
    step = after_read(accepted(looks=looks), news(UNFINISHED), case(polling=polling))
    assert step
    assert (step.event, step.record.looks, step.next_ms) == (Event.NO_NEWS, looks + 1, NOW + wait_s * 1000)


@pytest.mark.parametrize("polling", [False, True])
def test_a_fax_that_the_provider_does_not_know_any_more_ends_in_a_hold(polling: bool) -> None:
    """It is asked for after half a minute, two and ten. Then neither a resend nor a failure would be right."""
    record, waits = accepted(looks=9), []
    step: Transition | None = None
    while record.state is State.ACCEPTED:
        step = after_read(record, None, case(polling=polling))
        assert step
        record = step.record
        waits.append(None if step.holds_its_job else (step.next_ms - NOW) / 1000)
    assert waits == [30, 120, 600, None]
    assert step
    assert step.history
    assert step.hold == HoldRequest(scope=Scope.JOB, category="submit_unknown", cause=step.history.why)
    assert (step.event, record.state) == (Event.VANISHED, State.WAITING)
    assert (record.failure.category, record.failure.error_type, record.failure.error_code) == (
        "submit_unknown",
        "http",
        404,
    )
    assert step.history
    assert (step.history.fax_id, step.history.fate, step.rest_s, step.spent) == ("F1", None, 0.0, 0)


def test_a_fax_that_is_known_again_is_followed_as_before() -> None:
    missing = after_read(accepted(looks=2), None, case())
    assert missing
    known = after_read(missing.record, news(UNFINISHED), case())
    assert known
    assert (known.record.unclear, known.record.looks, known.next_ms) == (False, 1, NOW + 120_000)


def test_news_of_a_fax_that_was_unknown_ends_the_job_that_is_held_for_it() -> None:
    missing = after_read(accepted(looks=3, unclear=True), None, case())
    assert missing
    assert missing.history
    step = after_update(missing.record, news(COMPLETED), case(missing.history))
    assert step
    assert (step.record.state, step.record.doubled) == (State.DELIVERED, False)


@pytest.mark.parametrize(
    ("fate", "state"), [(FaxFate.DELIVERED, State.DELIVERED), (FaxFate.UNFINISHED, State.ACCEPTED)]
)
def test_a_job_that_follows_another_fax_than_the_unknown_one_is_not_held(fate: FaxFate, state: State) -> None:
    step = after_read(accepted("F2", attempt=2, looks=3, unclear=True), None, case(entry(fate, "F1")))
    assert step
    assert (step.record.state, step.record.fax_id, step.hold) == (state, "F1", None)


UNENDED_MS = round(POLICY.unended_s * 1000)


@pytest.mark.parametrize("said", [news(UNFINISHED), None], ids=["unfinished", "unknown"])
@pytest.mark.parametrize("missed", [0, 3])
def test_a_fax_that_never_ends_ends_its_job_as_unconfirmed(said: FaxUpdate | None, missed: int) -> None:
    """It is read for 80 hours. It may have arrived, so it is neither sent again nor held for a person."""
    record = accepted(looks=missed, unclear=missed > 0, changed_ms=NOW - UNENDED_MS)
    step = after_read(record, said, case())
    assert step
    assert (step.event, step.record.state, step.rest_s, step.spent) == (
        Event.UNCONFIRMED,
        State.DELIVERED_UNCONFIRMED,
        0.0,
        0,
    )
    assert (step.record.failure.category, step.record.failure.error_type, step.record.failure.error_code) == (
        "callback_missing",
        "http",
        0,
    )
    assert step.history
    assert (step.history.outcome, step.history.fate, step.history.fax_id) == (
        AttemptOutcome.UNENDED,
        FaxFate.UNENDED,
        "F1",
    )
    assert step.history.why == "the provider reported no result within 3 d 8 h: it may have arrived"


def test_a_fax_is_waited_for_until_then() -> None:
    step = after_read(accepted(changed_ms=NOW - UNENDED_MS + 1), news(UNFINISHED), case())
    assert step
    assert step.event is Event.NO_NEWS


@pytest.mark.parametrize("said", [news(COMPLETED), failure(BUSY)], ids=["completed", "failed"])
def test_an_end_that_is_told_by_then_counts(said: FaxUpdate) -> None:
    step = after_read(accepted(changed_ms=NOW - UNENDED_MS), said, case())
    assert step
    assert step.record.failure.category != "callback_missing"


@pytest.mark.parametrize(("said", "fate"), [(news(COMPLETED), FaxFate.DELIVERED), (failure(BUSY), FaxFate.FAILED)])
def test_an_end_that_is_told_later_is_in_the_history(said: FaxUpdate, fate: FaxFate) -> None:
    """States only move forward. What comes twice is written down once."""
    ended = after_read(accepted(changed_ms=NOW - UNENDED_MS), None, case())
    assert ended
    assert ended.history
    late = after_update(ended.record, said, case(ended.history))
    assert late
    assert late.history
    assert (late.event, late.record.state) == (None, State.DELIVERED_UNCONFIRMED)
    assert (late.history.outcome, late.history.fate) == (AttemptOutcome.LATE, fate)
    assert after_update(late.record, said, case(ended.history, late.history)) is None
    assert after_update(ended.record, news(UNFINISHED), case(ended.history)) is None


@pytest.mark.parametrize(
    ("fate", "state"),
    [
        (FaxFate.DELIVERED, State.DELIVERED),
        (FaxFate.UNFINISHED, State.ACCEPTED),
        (FaxFate.UNENDED, State.DELIVERED_UNCONFIRMED),
        (FaxFate.FAILED, State.DELIVERED_UNCONFIRMED),
    ],
)
def test_another_fax_of_the_job_is_followed_when_one_never_ends(fate: FaxFate, state: State) -> None:
    """Once for each of them: two faxes without an end do not take turns."""
    step = after_read(accepted("F2", attempt=2, changed_ms=NOW - UNENDED_MS), None, case(entry(fate, "F1")))
    assert step
    assert step.record.state is state


@pytest.mark.parametrize("attempt", [1, 0], ids=["with labels", "without"])
def test_a_read_back_brings_the_end(attempt: int) -> None:
    """The fax is known by its id."""
    delivered = after_read(accepted(), replace(news(COMPLETED), attempt=attempt), case())
    failed = after_read(accepted(), replace(failure(BUSY), attempt=attempt), case())
    assert delivered
    assert failed
    assert (delivered.record.state, failed.record.state) == (State.DELIVERED, State.WAITING)


@pytest.mark.parametrize("record", [waiting(), sending(), waiting(state=State.FAILED)], ids=lambda r: r.state.label)
def test_a_read_back_without_news_says_nothing_of_a_job_that_has_moved_on(record: Record) -> None:
    assert after_read(record, None, case()) is None


def test_a_read_back_of_another_fax_than_the_one_that_counts_is_evidence() -> None:
    """It must not put off the look at the fax that counts."""
    step = after_read(accepted("F2", attempt=2), news(UNFINISHED, "F1"), case())
    assert step
    assert (step.event, step.record.looks) == (None, 0)
