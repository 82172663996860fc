"""What it means that the provider was asked and had no news."""

from dataclasses import replace

import pytest

from dispatcher.core.job import AttemptOutcome, FaxFate, HistoryEntry, Record, State
from dispatcher.core.lifecycle import Event
from dispatcher.core.outcome import FaxUpdate
from dispatcher.core.policy.policy import Policy
from dispatcher.core.retry_table.rule import Scope
from dispatcher.core.settlement.fax_update import after_update
from dispatcher.core.settlement.lookup import (
    after_empty_lookup,
    after_read,
    is_last_lookup,
    lookup_due_ms,
    scheduled_lookup_ms,
)
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
    fax_update,
    leased,
    sending,
    waiting,
)

DEADLINE = send_deadline_ms(sending(), POLICY)
LAST = len(POLICY.lookups_s) - 1


def look(
    record: Record,
    *history: HistoryEntry,
    attempt: int = 1,
    late_ms: int = 0,
    exact: bool = True,
    answered: bool = True,
) -> Transition | None:
    """A look-up at the time at which it is due, or later."""
    asked_ms = lookup_due_ms(record, POLICY) + late_ms
    seen = case(*history, now_ms=asked_ms + 50)
    return after_empty_lookup(record, seen, attempt=attempt, asked_ms=asked_ms, exact=exact, answered=answered)


@pytest.mark.parametrize(("lookups", "next_s"), [(0, 45), (1, 120), (2, 300)])
def test_an_unclear_send_is_looked_for_again_at_the_policy_s_times(lookups: int, next_s: int) -> None:
    transition = look(sending(lookups=lookups))
    assert transition
    assert (transition.event, transition.record.lookups) == (Event.NO_NEWS, lookups + 1)
    assert transition.next_ms == scheduled_lookup_ms(sending(lookups=lookups + 1), POLICY)
    assert 0 <= transition.next_ms - DEADLINE - next_s * 1000 < 30_000


@pytest.mark.parametrize("lookups_s", [POLICY.lookups_s, (1.0, 2.0, 4.0, 8.0), (5.0,), (0.0005, 300.0)], ids=str)
def test_looks_share_their_times_and_the_last_comes_when_it_is_due(lookups_s: tuple[float, ...]) -> None:
    """Those of one time share a list. No look-up comes before its time, and none after the next one's."""
    policy = Policy(lookups_s=lookups_s)
    for began in range(BEGAN, BEGAN + 60_000, 777):
        due = [lookup_due_ms(sending(began_ms=began, lookups=n), policy) for n in range(len(lookups_s))]
        lookups_ms = [scheduled_lookup_ms(sending(began_ms=began, lookups=n), policy) for n in range(len(lookups_s))]
        assert all(early <= late for early, late in zip(due, lookups_ms, strict=True))
        assert all(late <= following for late, following in zip(lookups_ms, due[1:], strict=False))
        assert lookups_ms[-1] == due[-1]
    if lookups_s == POLICY.lookups_s:
        assert all(lookup_ms % 30_000 == 0 for lookup_ms in lookups_ms[:-1])


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("lookups", range(LAST))
def test_a_look_that_comes_very_late_is_followed_by_the_last_at_once(lookups: int, exact: bool) -> None:
    """It counts for all that were due by then but the last, which has to be made by itself."""
    transition = look(sending(lookups=lookups), late_ms=600_000, exact=exact)
    assert transition
    assert (transition.event, transition.record.lookups) == (Event.NO_NEWS, LAST)
    assert transition.next_ms == lookup_due_ms(sending(lookups=lookups), POLICY) + 600_050


@pytest.mark.parametrize("late_ms", [0, 600_000])
def test_a_window_without_it_does_not_write_an_attempt_off(late_ms: int) -> None:
    """However late it is: only the list of the number itself may."""
    assert look(sending(lookups=LAST), late_ms=late_ms, exact=False) is None
    assert [is_last_lookup(sending(lookups=lookups), POLICY) for lookups in range(LAST + 1)] == [False] * LAST + [True]


def test_a_send_without_an_answer_that_is_not_found_is_sent_again() -> None:
    """One attempt is spent, and the error of the attempt before is not repeated as this one's."""
    transition = look(sending(lookups=LAST, category="busy", error_type="CALL_ERROR", error_code=17))
    assert transition
    assert transition.history
    assert (transition.event, transition.record.state, transition.spent, transition.rest_s) == (
        Event.VANISHED,
        State.WAITING,
        1,
        0.0,
    )
    assert (transition.record.counters.server_errors, transition.record.failure.category) == (1, "submit_unknown")
    assert (transition.record.failure.error_type, transition.record.failure.error_code) == ("http", 0)
    assert (transition.history.outcome, transition.history.fax_id, transition.history.fate) == (
        AttemptOutcome.VANISHED,
        "",
        None,
    )


def test_a_send_that_was_answered_with_500_and_not_found_waits_by_that_row() -> None:
    transition = look(sending(lookups=LAST, unclear=True, category="provider_error", error_type="http", error_code=500))
    assert transition
    assert (transition.record.failure.category, transition.record.failure.error_code, transition.record.unclear) == (
        "provider_error",
        500,
        False,
    )
    assert transition.next_ms == DEADLINE + 300_050 + 5_000


def test_too_many_vanished_sends_end_the_job() -> None:
    transition = look(sending(lookups=LAST, server_errors=5))
    assert transition
    assert (transition.event, transition.record.state, transition.next_ms) == (Event.FAILED, State.FAILED, 0)


def test_vanished_sends_of_a_provider_that_answered_nobody_never_end_the_job() -> None:
    """Its history says that they count for nothing, and does not grow without end."""
    record, history = sending(lookups=LAST, server_errors=5), list[HistoryEntry]()
    for attempt in range(1, 200):
        transition = look(replace(record, attempt=attempt), *history, attempt=attempt, answered=False)
        assert transition
        assert (transition.event, transition.record.state, transition.record.counters.server_errors) == (
            Event.VANISHED,
            State.WAITING,
            5,
        )
        if transition.history:
            history.append(transition.history)
    assert len(history) == 20
    assert all(entry.excused for entry in history)


def test_an_outage_leaves_all_server_errors_to_a_job() -> None:
    """It has met one before, and nineteen failures while nobody was answered."""
    history = [entry(None, attempt=n, category="provider_error", excused=n > 1) for n in range(1, 21)]
    record = sending(attempt=21, lookups=LAST, server_errors=1, unclear=True, error_type="http", error_code=500)
    transition = look(record, *history, attempt=21)
    assert transition
    assert (transition.record.state, transition.record.counters.server_errors) == (State.WAITING, 2)
    assert transition.history
    assert not transition.history.excused


@pytest.mark.parametrize("lookups", range(LAST + 1))
def test_a_look_that_was_asked_before_its_time_counts_for_nothing(lookups: int) -> None:
    """Two look-ups that overlap, or a message that came twice, do not shorten the search period."""
    assert look(sending(lookups=lookups), late_ms=-101) is None


@pytest.mark.parametrize(
    "record",
    [waiting(), leased(), accepted(), sending(attempt=2), waiting(state=State.FAILED)],
    ids=lambda r: f"{r.state.label}-{r.attempt}",
)
def test_a_look_for_an_attempt_that_is_over_counts_for_nothing(record: Record) -> None:
    asked_ms = DEADLINE + 10**7
    assert after_empty_lookup(record, case(now_ms=asked_ms), attempt=1, asked_ms=asked_ms, exact=True) is None


@pytest.mark.parametrize(
    ("fate", "state"),
    [
        (FaxFate.UNFINISHED, State.ACCEPTED),
        (FaxFate.DELIVERED, State.DELIVERED),
        (FaxFate.PAGES_ARRIVED, State.DELIVERED_UNCONFIRMED),
        (FaxFate.FAILED, State.WAITING),
    ],
)
@pytest.mark.parametrize("server_errors", [0, 5])
def test_when_an_attempt_vanished_an_earlier_fax_decides(fate: FaxFate, state: State, server_errors: int) -> None:
    """The job is neither sent again nor given up while an earlier fax of it is delivered or may yet be."""
    record = sending(attempt=2, lookups=LAST, server_errors=server_errors)
    asked_ms = lookup_due_ms(record, POLICY)
    evidence = entry(fate, "F1", pages_sent=2, pages_total=3, created_ms=77)
    transition = after_empty_lookup(record, case(evidence, now_ms=asked_ms), attempt=2, asked_ms=asked_ms, exact=True)
    assert transition
    failed = fate is FaxFate.FAILED
    assert transition.record.state is (State.FAILED if failed and server_errors else state)
    if not failed:
        assert (transition.record.fax_id, transition.record.pages_sent, transition.record.began_ms) == ("F1", 2, 77)
    assert not transition.record.doubled
    assert transition.history
    assert transition.history.outcome is AttemptOutcome.VANISHED


@pytest.mark.parametrize(
    ("lookups", "polling", "wait_s"),
    [(0, False, 120), (1, False, 300), (2, False, 600), (9, False, 600), (0, True, 20), (1, True, 30), (9, True, 60)],
)
def test_a_read_back_of_a_fax_under_way_is_repeated_at_the_policy_s_times(
    lookups: int, polling: bool, wait_s: int
) -> None:
    transition = after_read(accepted(lookups=lookups), fax_update(UNFINISHED), case(polling=polling))
    assert transition
    assert (transition.event, transition.record.lookups, transition.next_ms) == (
        Event.NO_NEWS,
        lookups + 1,
        NOW + wait_s * 1000,
    )


@pytest.mark.parametrize("polling", [False, True])
def test_a_fax_that_the_provider_does_not_know_any_more_ends_in_a_hold(polling: bool) -> None:
    """It is asked for after half a minute, two and ten. Then neither a resend nor a failure would be right."""
    record, waits = accepted(lookups=9), []
    transition: Transition | None = None
    while record.state is State.ACCEPTED:
        transition = after_read(record, None, case(polling=polling))
        assert transition
        record = transition.record
        waits.append(None if transition.holds_its_job else (transition.next_ms - NOW) / 1000)
    assert waits == [30, 120, 600, None]
    assert transition
    assert transition.history
    assert transition.hold == HoldRequest(scope=Scope.JOB, category="submit_unknown", cause=transition.history.why)
    assert (transition.event, record.state) == (Event.VANISHED, State.WAITING)
    assert (record.failure.category, record.failure.error_type, record.failure.error_code) == (
        "submit_unknown",
        "http",
        404,
    )
    assert transition.history
    assert (transition.history.fax_id, transition.history.fate, transition.rest_s, transition.spent) == (
        "F1",
        None,
        0.0,
        0,
    )


def test_a_fax_that_is_known_again_is_followed_as_before() -> None:
    missing = after_read(accepted(lookups=2), None, case())
    assert missing
    known = after_read(missing.record, fax_update(UNFINISHED), case())
    assert known
    assert (known.record.unclear, known.record.lookups, known.next_ms) == (False, 1, NOW + 120_000)


def test_news_of_a_fax_that_was_unknown_ends_the_job_that_is_held_for_it() -> None:
    missing = after_read(accepted(lookups=3, unclear=True), None, case())
    assert missing
    assert missing.history
    transition = after_update(missing.record, fax_update(COMPLETED), case(missing.history))
    assert transition
    assert (transition.record.state, transition.record.doubled) == (State.DELIVERED, False)


@pytest.mark.parametrize(
    ("fate", "state"), [(FaxFate.DELIVERED, State.DELIVERED), (FaxFate.UNFINISHED, State.ACCEPTED)]
)
def test_a_job_that_follows_another_fax_than_the_unknown_one_is_not_held(fate: FaxFate, state: State) -> None:
    transition = after_read(accepted("F2", attempt=2, lookups=3, unclear=True), None, case(entry(fate, "F1")))
    assert transition
    assert (transition.record.state, transition.record.fax_id, transition.hold) == (state, "F1", None)


UNENDED_MS = round(POLICY.unended_s * 1000)


@pytest.mark.parametrize("said", [fax_update(UNFINISHED), None], ids=["unfinished", "unknown"])
@pytest.mark.parametrize("missed", [0, 3])
def test_a_fax_that_never_ends_ends_its_job_as_unconfirmed(said: FaxUpdate | None, missed: int) -> None:
    """It is read for 80 hours. It may have arrived, so it is neither sent again nor held for a person."""
    record = accepted(lookups=missed, unclear=missed > 0, changed_ms=NOW - UNENDED_MS)
    transition = after_read(record, said, case())
    assert transition
    assert (transition.event, transition.record.state, transition.rest_s, transition.spent) == (
        Event.UNCONFIRMED,
        State.DELIVERED_UNCONFIRMED,
        0.0,
        0,
    )
    assert (
        transition.record.failure.category,
        transition.record.failure.error_type,
        transition.record.failure.error_code,
    ) == (
        "callback_missing",
        "http",
        0,
    )
    assert transition.history
    assert (transition.history.outcome, transition.history.fate, transition.history.fax_id) == (
        AttemptOutcome.UNENDED,
        FaxFate.UNENDED,
        "F1",
    )
    assert transition.history.why == "the provider reported no result within 3 d 8 h: it may have arrived"


def test_a_fax_is_waited_for_until_then() -> None:
    transition = after_read(accepted(changed_ms=NOW - UNENDED_MS + 1), fax_update(UNFINISHED), case())
    assert transition
    assert transition.event is Event.NO_NEWS


@pytest.mark.parametrize("said", [fax_update(COMPLETED), failure(BUSY)], ids=["completed", "failed"])
def test_an_end_that_is_told_by_then_counts(said: FaxUpdate) -> None:
    transition = after_read(accepted(changed_ms=NOW - UNENDED_MS), said, case())
    assert transition
    assert transition.record.failure.category != "callback_missing"


@pytest.mark.parametrize(
    ("said", "fate"), [(fax_update(COMPLETED), FaxFate.DELIVERED), (failure(BUSY), FaxFate.FAILED)]
)
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
    assert after_update(ended.record, fax_update(UNFINISHED), case(ended.history)) is None


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
    transition = after_read(accepted("F2", attempt=2, changed_ms=NOW - UNENDED_MS), None, case(entry(fate, "F1")))
    assert transition
    assert transition.record.state is state


@pytest.mark.parametrize("attempt", [1, 0], ids=["with labels", "without"])
def test_a_read_back_brings_the_end(attempt: int) -> None:
    """The fax is known by its id."""
    delivered = after_read(accepted(), replace(fax_update(COMPLETED), attempt=attempt), case())
    failed = after_read(accepted(), replace(failure(BUSY), attempt=attempt), case())
    assert delivered
    assert failed
    assert (delivered.record.state, failed.record.state) == (State.DELIVERED, State.WAITING)


@pytest.mark.parametrize("record", [waiting(), sending(), waiting(state=State.FAILED)], ids=lambda r: r.state.label)
def test_a_read_back_without_news_says_nothing_of_a_job_that_has_moved_on(record: Record) -> None:
    assert after_read(record, None, case()) is None


def test_a_read_back_of_another_fax_than_the_one_that_counts_is_evidence() -> None:
    """It must not delay the look-up of the fax that counts."""
    transition = after_read(accepted("F2", attempt=2), fax_update(UNFINISHED, "F1"), case())
    assert transition
    assert (transition.event, transition.record.lookups) == (None, 0)
