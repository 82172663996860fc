"""What news of a fax means for its job."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher.core.job import REVISION_MODULUS, AttemptOutcome, FaxFate, HistoryEntry, Record, State, last_reason
from dispatcher.core.lifecycle import Event
from dispatcher.core.outcome import FaxStatus, FaxUpdate
from dispatcher.core.policy.policy import OnPartial, Policy
from dispatcher.core.retry_table.rule import ERROR_TYPES, Scope
from dispatcher.core.settlement.fax_update import after_update
from dispatcher.core.settlement.known_faxes import known_faxes
from dispatcher.core.settlement.transition import Transition
from tests.core.settlement.samples import (
    BAD_NUMBER,
    BEGAN,
    BUSY,
    COMPLETED,
    FAILURE,
    NO_FUNDS,
    NOW,
    PAGE_UNCONFIRMED,
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

OPEN = [waiting(), leased(), sending(), accepted()]
FINAL = [waiting(state=state, fax_id="F2", attempt=2) for state in State if state.final]
UNDER_WAY = [sending(attempt=2), accepted("F2", attempt=2)]


def state_of(record: Record) -> str:
    return record.state.label


def settled(record: Record, update: FaxUpdate, *history: HistoryEntry) -> Transition:
    transition = after_update(record, update, case(*history))
    assert transition is not None
    return transition


@pytest.mark.parametrize("record", OPEN, ids=state_of)
def test_a_completed_fax_delivers_the_job(record: Record) -> None:
    """The number rests, whatever failed before is no longer the job's category, and an attempt counts once."""
    record = waiting(**{name: getattr(record, name) for name in ("state", "lease", "fax_id")}, category="busy")
    transition = settled(record, fax_update(COMPLETED, pages_sent=3, pages_total=3))
    new = transition.record
    assert (transition.event, new.state, new.failure.category, new.lease) == (Event.DELIVERED, State.DELIVERED, "", 0)
    assert (new.fax_id, new.pages_sent, new.pages_total, new.changed_ms) == ("F1", 3, 3, NOW)
    assert (transition.rest_s, transition.history, transition.spent) == (60.0, None, record.state is State.SENDING)


@pytest.mark.parametrize("record", OPEN[:3], ids=state_of)
def test_an_unfinished_fax_is_followed(record: Record) -> None:
    """A waiting or leased job adopts it; an early callback or look-up is as good as the answer to the POST."""
    transition = settled(record, fax_update(UNFINISHED))
    assert (transition.event, transition.record.state, transition.record.fax_id) == (
        Event.ACCEPTED,
        State.ACCEPTED,
        "F1",
    )
    assert (transition.record.lease, transition.next_ms, transition.rest_s) == (0, NOW + 900_000, None)
    assert transition.spent == (record.state is State.SENDING)


def test_a_price_that_comes_after_the_delivery_is_noted_once() -> None:
    delivered = settled(accepted(), fax_update(COMPLETED, pages_sent=3)).record
    priced = fax_update(COMPLETED, pages_sent=3, price=4_500, currency="EUR")
    transition = settled(delivered, priced)
    assert (transition.event, transition.history, transition.pages, transition.costs) == (None, None, 0, {"EUR": 4_500})
    assert (transition.record.price, transition.record.currency) == (4_500, "EUR")
    assert after_update(transition.record, replace(priced, price=9), case()) is None


@pytest.mark.parametrize(
    "record", [waiting(attempt=2), leased(attempt=2), sending(attempt=2), accepted("F2", attempt=2)], ids=state_of
)
def test_a_price_that_comes_after_a_failure_is_noted_once_and_is_no_second_failure(record: Record) -> None:
    failed = entry(FaxFate.FAILED, pages_sent=1, category="busy", error_type="CALL_ERROR", error_code=17, why="busy")
    priced = failure(BUSY, price=100, currency="EUR")
    assert after_update(record, failure(BUSY), case(failed)) is None
    transition = settled(record, priced, failed)
    assert transition.history
    assert (transition.event, transition.pages, transition.costs, transition.spent) == (None, 0, {"EUR": 100}, 0)
    assert transition.history.failure == failed.failure, "another attempt may end with what this fax says"
    assert replace(transition.record, history_revision=record.history_revision) == record
    history = [failed, transition.history]
    assert known_faxes(record, history) == known_faxes(record, [failed])
    assert last_reason(history) == "busy"
    assert after_update(transition.record, replace(priced, price=9), case(*history)) is None
    next_failure = failure(BUSY, "F2", attempt=2)
    counters = [settled(record, next_failure, *entries).record.counters for entries in ([failed], history)]
    assert counters[0] == counters[1]


def test_the_pages_and_the_price_of_a_fax_are_added_when_it_ends() -> None:
    update = fax_update(COMPLETED, pages_sent=3, price=4_500, currency="EUR")
    transition = settled(accepted(), update)
    assert (transition.pages, transition.costs, transition.record.price) == (3, {"EUR": 4_500}, 4_500)
    assert settled(sending(), fax_update(UNFINISHED, pages_sent=1, price=1, currency="EUR")).costs == {}
    failed = settled(accepted(), failure(BUSY, price=100, currency="EUR"))
    assert failed.history
    assert (failed.costs, failed.history.price, failed.record.price) == ({"EUR": 100}, 100, 0)


def test_a_fax_is_listed_by_the_time_at_which_the_provider_created_it() -> None:
    """The adopted fax of an earlier attempt would not be found by the time at which the latest began."""
    assert settled(waiting(attempt=3, began_ms=NOW), fax_update(UNFINISHED)).record.began_ms == BEGAN + 200
    assert settled(sending(), fax_update(UNFINISHED, created_ms=0)).record.began_ms == BEGAN


@pytest.mark.parametrize("record", OPEN, ids=state_of)
def test_a_failed_fax_is_tried_again_by_its_row(record: Record) -> None:
    """Busy waits three minutes, costs a dial, and lets the number rest."""
    transition = settled(record, failure(BUSY))
    new = transition.record
    assert (transition.event, new.state, new.failure.category, new.counters.dials) == (
        Event.RETRIED,
        State.WAITING,
        "busy",
        1,
    )
    assert (new.failure.error_type, new.failure.error_code, transition.next_ms) == (*BUSY, NOW + 180_000)
    assert (transition.rest_s, transition.spent) == (60.0, record.state is State.SENDING)
    assert transition.history
    assert (transition.history.outcome, transition.history.fate, transition.history.fax_id) == (
        AttemptOutcome.FAILED,
        FaxFate.FAILED,
        "F1",
    )
    assert transition.history.why.startswith("busy, attempt 1 of 8")


@pytest.mark.parametrize("record", OPEN, ids=state_of)
def test_a_failure_for_good_ends_the_job(record: Record) -> None:
    transition = settled(record, failure(BAD_NUMBER))
    assert (transition.event, transition.record.state, transition.record.failure.category) == (
        Event.FAILED,
        State.FAILED,
        "bad_number",
    )
    assert transition.next_ms == 0


def test_pages_that_may_have_arrived_end_the_job_as_unconfirmed() -> None:
    transition = settled(accepted(), failure(PAGE_UNCONFIRMED, pages_sent=2, pages_total=2))
    assert (transition.event, transition.record.state) == (Event.UNCONFIRMED, State.DELIVERED_UNCONFIRMED)
    assert transition.history
    assert transition.history.fate is FaxFate.PAGES_ARRIVED


def test_an_account_without_funds_is_held_and_the_job_spends_nothing() -> None:
    transition = settled(accepted(dials=3), failure(NO_FUNDS))
    assert (transition.record.state, transition.record.counters.dials) == (State.WAITING, 3)
    assert transition.hold
    assert (transition.hold.scope, transition.hold.probes_s) == (Scope.ACCOUNT, (900.0,))


@pytest.mark.parametrize(
    ("end", "disproved"),
    [
        (fax_update(COMPLETED), {"auth", "funds"}),
        (failure(BUSY), {"auth", "funds"}),
        (failure(PAGE_UNCONFIRMED, pages_sent=2, pages_total=2), {"auth", "funds"}),
        (failure(NO_FUNDS), {"auth"}),
        (failure(("DOCUMENT_CONVERSION_ERROR", 4)), {"auth"}),
    ],
    ids=lambda value: getattr(value, "error_type", "") or "",
)
@pytest.mark.parametrize("record", [waiting(), sending(), accepted()], ids=state_of)
def test_the_end_of_a_fax_says_which_holds_end_if_it_was_a_probe(
    record: Record, end: FaxUpdate, disproved: set[str]
) -> None:
    """That of an earlier attempt says nothing of a probe, which is known by its number."""
    assert settled(record, end).disproves == disproved
    assert settled(replace(record, attempt=2, fax_id="F1"), end).disproves == set()


def test_a_document_that_does_not_convert_may_hold_itself() -> None:
    transition = settled(accepted(), failure(("DOCUMENT_CONVERSION_ERROR", 4)))
    assert transition.hold
    assert (transition.hold.scope, transition.hold.hold_after) == (Scope.DOCUMENT, 2)


def test_earlier_failures_of_the_category_count() -> None:
    """The second busy waits longer, the eighth is the last; evidence of failed faxes counts too."""
    before = [entry(FaxFate.FAILED, f"E{n}", category="busy", error_type="CALL_ERROR", error_code=17) for n in range(7)]
    assert settled(accepted(), failure(BUSY), before[0]).next_ms == NOW + 300_000
    assert settled(accepted(), failure(BUSY), *before).record.state is State.FAILED


@pytest.mark.parametrize("status", [UNFINISHED, COMPLETED, FAILURE])
@pytest.mark.parametrize("attempt", [-1, 0])
def test_news_of_no_attempt_is_ignored(attempt: int, status: FaxStatus) -> None:
    assert all(after_update(record, fax_update(status, attempt=attempt), case()) is None for record in OPEN)


@pytest.mark.parametrize("status", [UNFINISHED, COMPLETED, FAILURE])
@pytest.mark.parametrize("record", [*OPEN, *FINAL], ids=state_of)
def test_news_of_a_fax_whose_end_is_known_changes_nothing(record: Record, status: FaxStatus) -> None:
    """Repeats of callbacks and polls, and whatever contradicts an end that was told."""
    ended = entry(FaxFate.FAILED, outcome=AttemptOutcome.FAILED)
    assert record.fax_id == "F1" or after_update(record, fax_update(status), case(ended)) is None


@pytest.mark.parametrize("status", [UNFINISHED, COMPLETED, FAILURE])
def test_news_of_the_delivered_fax_changes_nothing(status: FaxStatus) -> None:
    assert after_update(waiting(state=State.DELIVERED, fax_id="F1"), fax_update(status), case()) is None


def test_news_that_an_accepted_fax_has_not_ended_is_no_news() -> None:
    assert after_update(accepted(), fax_update(UNFINISHED), case()) is None


@pytest.mark.parametrize("status", [UNFINISHED, COMPLETED, FAILURE])
@pytest.mark.parametrize("record", [*UNDER_WAY, *FINAL], ids=state_of)
def test_news_of_another_fax_is_evidence(record: Record, status: FaxStatus) -> None:
    """The state stays; the history grows, and the record shows it to compare-and-set."""
    transition = settled(record, fax_update(status))
    assert (transition.event, transition.record.state, transition.record.fax_id) == (None, record.state, record.fax_id)
    assert (transition.record.history_revision, transition.record.failure.category) == (1, record.failure.category)
    assert (transition.rest_s, transition.spent, transition.hold) == (None, 0, None)
    assert transition.history
    assert transition.history.fate == {UNFINISHED: "unfinished", COMPLETED: "delivered", FAILURE: "failed"}[status]


def test_the_count_of_evidence_begins_anew() -> None:
    assert (
        settled(
            sending(attempt=2, history_revision=REVISION_MODULUS - 1), fax_update(COMPLETED)
        ).record.history_revision
        == 0
    )


def test_evidence_of_a_call_counts_as_a_dial() -> None:
    assert settled(sending(attempt=2, dials=2), failure(BUSY)).record.counters.dials == 3


@pytest.mark.parametrize(("status", "doubled"), [(UNFINISHED, True), (COMPLETED, True), (FAILURE, False)])
def test_two_accepted_faxes_make_a_doubled_job(status: FaxStatus, doubled: bool) -> None:
    """Unless the earlier one had failed, by the provider's clock, when the later one was accepted."""
    transition = settled(accepted("F2", attempt=2, began_ms=NOW), fax_update(status, ended_ms=NOW - 1))
    assert transition.record.doubled is doubled
    assert transition.history
    assert transition.history.outcome is (AttemptOutcome.DOUBLED if doubled else AttemptOutcome.LATE)


def test_an_earlier_fax_that_failed_after_the_later_one_was_accepted_makes_a_doubled_job() -> None:
    assert settled(accepted("F2", attempt=2, began_ms=NOW), failure(BUSY, ended_ms=NOW + 1)).record.doubled


def test_a_job_is_not_doubled_while_only_one_fax_is_known() -> None:
    assert not settled(sending(attempt=2), fax_update(COMPLETED)).record.doubled


@pytest.mark.parametrize("update", [fax_update(UNFINISHED, "F2", attempt=2), fax_update(COMPLETED, "F2", attempt=2)])
def test_a_job_is_doubled_when_the_evidence_came_before_the_acceptance(update: FaxUpdate) -> None:
    assert settled(sending(attempt=2), update, entry(FaxFate.UNFINISHED)).record.doubled


def test_a_job_is_no_longer_doubled_once_the_earlier_fax_is_known_to_have_failed_in_time() -> None:
    record = accepted("F2", attempt=2, began_ms=NOW, doubled=True)
    assert not settled(record, failure(BUSY, ended_ms=NOW - 1), entry(FaxFate.UNFINISHED)).record.doubled


@pytest.mark.parametrize("pair", [BUSY, BAD_NUMBER, NO_FUNDS])
@pytest.mark.parametrize(
    ("fate", "event", "state"),
    [
        (FaxFate.UNFINISHED, Event.ACCEPTED, State.ACCEPTED),
        (FaxFate.DELIVERED, Event.DELIVERED, State.DELIVERED),
        (FaxFate.PAGES_ARRIVED, Event.UNCONFIRMED, State.DELIVERED_UNCONFIRMED),
    ],
)
@pytest.mark.parametrize("record", UNDER_WAY, ids=state_of)
def test_when_a_fax_fails_another_one_that_stands_decides(
    record: Record, fate: FaxFate, event: Event, state: State, pair: tuple[str, int]
) -> None:
    """The job is not sent a third time, and the failure is in its history."""
    transition = settled(record, failure(pair, "F2", attempt=2), entry(fate, "F1"))
    assert (transition.event, transition.record.state, transition.record.fax_id) == (event, state, "F1")
    assert transition.record.doubled
    assert transition.history
    assert (transition.history.fax_id, transition.history.outcome) == ("F2", AttemptOutcome.FAILED)


def test_the_failed_other_fax_does_not_decide() -> None:
    transition = settled(accepted("F2", attempt=2), failure(BUSY, "F2", attempt=2), entry(FaxFate.FAILED, "F1"))
    assert transition.record.state is State.WAITING


def test_an_adopted_fax_is_told_by_its_id_and_not_by_its_attempt() -> None:
    """Its callbacks carry the number of the attempt that had been written off."""
    record = accepted("F1", attempt=3)
    assert settled(record, fax_update(COMPLETED, "F1", attempt=1)).record.state is State.DELIVERED
    assert settled(record, fax_update(COMPLETED, "F3", attempt=3)).event is None


def test_two_faxes_of_one_attempt_are_told_apart_by_their_ids() -> None:
    """A request that was repeated on its way makes two faxes with the same labels."""
    transition = settled(accepted("F1"), fax_update(COMPLETED, "F2"))
    assert (transition.event, transition.record.state, transition.record.doubled) == (None, State.ACCEPTED, True)


@pytest.mark.parametrize(
    ("of_policy", "of_batch", "state"),
    [
        ("stop", "", State.DELIVERED_UNCONFIRMED),
        ("stop", "resend", State.WAITING),
        ("resend", "", State.WAITING),
        ("resend", "stop", State.DELIVERED_UNCONFIRMED),
    ],
)
def test_the_choice_of_the_batch_comes_before_that_of_the_policy(
    of_policy: OnPartial, of_batch: str, state: State
) -> None:
    update = failure(PAGE_UNCONFIRMED, pages_sent=3, pages_total=10)
    transition = after_update(
        accepted(), update, replace(case(policy=Policy(on_partial=of_policy)), on_partial=of_batch)
    )
    assert transition
    assert transition.record.state is state


def test_an_account_without_funds_is_held_although_the_pages_arrived() -> None:
    transition = settled(accepted(), failure(NO_FUNDS, pages_sent=2, pages_total=2))
    assert transition.record.state is State.DELIVERED_UNCONFIRMED
    assert transition.hold
    assert (transition.hold.scope, transition.hold.hold_after, transition.hold.probes_s) == (Scope.ACCOUNT, 1, (900.0,))


def test_a_policy_that_sends_the_rest_again_does_not_take_pages_for_arrived() -> None:
    update = failure(PAGE_UNCONFIRMED, pages_sent=1, pages_total=2)
    transition = after_update(accepted(), update, case(policy=Policy(on_partial="resend")))
    assert transition
    assert transition.history
    assert (transition.record.state, transition.history.fate) == (State.WAITING, FaxFate.FAILED)


@pytest.mark.parametrize("code", [0, 17, 301, 302, 404, 429, 503, 800])
def test_a_fax_that_fails_with_the_type_of_our_own_requests_has_a_type_that_nobody_knows(code: int) -> None:
    """It is neither looked up, nor held for, nor called again soon: the rows of requests say nothing of calls."""
    transition = settled(accepted(), failure(("http", code)))
    assert (transition.event, transition.record.state, transition.record.failure.category) == (
        Event.RETRIED,
        State.WAITING,
        "unknown",
    )
    assert (transition.record.failure.error_type, transition.record.counters.dials, transition.hold) == (
        "other",
        1,
        None,
    )
    assert transition.next_ms == NOW + 600_000
    assert transition.history
    assert transition.history.failure.error_type == "other"


@given(st.lists(st.tuples(st.sampled_from(("http", *ERROR_TYPES, "NEW_ERROR", "")), st.integers(0, 999)), min_size=80))
@settings(max_examples=30)
def test_no_failure_that_comes_again_and_again_has_a_job_called_without_end(pairs: list[tuple[str, int]]) -> None:
    """Whatever the provider says each time: in the end the job has ended, or waits for a person or for funds."""
    record, history = accepted(), list[HistoryEntry]()
    for attempt, pair in enumerate(pairs, start=1):
        transition = after_update(
            replace(record, attempt=attempt), failure(pair, f"F{attempt}", attempt=attempt), case(*history)
        )
        assert transition
        if transition.record.state.final or (
            transition.hold and transition.hold.hold_after == 1 and not transition.record.state.final
        ):
            return
        assert transition.next_ms >= NOW + 30_000 * 0.8, "never at once"
        history += [transition.history] if transition.history else []
        record = replace(transition.record, state=State.ACCEPTED, attempt=attempt + 1, fax_id=f"F{attempt + 1}")
    pytest.fail("the job is still called")
