"""What the answer to a POST means for its job."""

import math

import pytest

from dispatcher.core.job import AttemptOutcome, FaxFate, Record, State
from dispatcher.core.lifecycle import Event
from dispatcher.core.outcome import Accepted, NotSent, RateLimited, Refused, SendOutcome, Unclear
from dispatcher.core.retry_table.rule import Scope
from dispatcher.core.settlement.lookup import scheduled_lookup_ms
from dispatcher.core.settlement.send_result import after_send, missed_slot
from dispatcher.core.settlement.transition import Transition, send_deadline_ms
from tests.core.settlement.samples import (
    COMPLETED,
    NOW,
    POLICY,
    UNFINISHED,
    accepted,
    case,
    entry,
    fax_update,
    leased,
    sending,
    waiting,
)

ACCEPTED = Accepted(update=fax_update(UNFINISHED))
#: answers that say that nothing, or perhaps something, was taken
OTHERS: list[SendOutcome] = [Refused(status=400), RateLimited(), NotSent(reason="no route"), Unclear(reason="reset")]


def settled(record: Record, outcome: SendOutcome, *, attempt: int = 1) -> Transition:
    transition = after_send(record, outcome, case(), attempt=attempt)
    assert transition is not None
    return transition


def test_an_accepted_send_is_followed() -> None:
    """The fax's id is kept, the attempt counts, and the callback is overdue after fifteen minutes."""
    transition = settled(sending(), ACCEPTED)
    assert (transition.event, transition.record.state, transition.record.fax_id) == (
        Event.ACCEPTED,
        State.ACCEPTED,
        "F1",
    )
    assert (transition.spent, transition.next_ms, transition.rest_s) == (1, NOW + 900_000, None)


def test_without_callbacks_an_accepted_send_is_polled_soon() -> None:
    transition = after_send(sending(), ACCEPTED, case(polling=True), attempt=1)
    assert transition
    assert transition.next_ms == NOW + 20_000


@pytest.mark.parametrize(
    ("outcome", "state", "category", "hold"),
    [
        (Refused(status=400), State.FAILED, "invalid_request", Scope.BATCH),
        (Refused(status=422, fields=("to",)), State.FAILED, "bad_number", Scope.BATCH),
        (Refused(status=405), State.WAITING, "unknown", Scope.BATCH),
        (Refused(status=301), State.WAITING, "config", Scope.ACCOUNT),
        (Refused(status=308, message="the address has moved"), State.WAITING, "config", Scope.ACCOUNT),
        (Refused(status=401), State.WAITING, "auth", Scope.ACCOUNT),
        (Refused(status=402), State.WAITING, "funds", Scope.ACCOUNT),
        (Refused(status=403), State.WAITING, "not_permitted", Scope.COUNTRY),
        (Refused(status=404), State.WAITING, "config", Scope.BATCH),
        (Refused(status=413), State.FAILED, "document_too_large", Scope.DOCUMENT),
    ],
    ids=lambda value: str(getattr(value, "status", value)),
)
def test_a_refusal_follows_its_row_of_the_table(
    outcome: Refused, state: State, category: str, hold: Scope | None
) -> None:
    """No attempt is spent, the number is free at once, and the refusal is in the history."""
    transition = settled(sending(dials=2, tries=1), outcome)
    assert (transition.record.state, transition.record.failure.category, transition.record.failure.error_code) == (
        state,
        category,
        outcome.status,
    )
    assert (
        transition.spent,
        transition.rest_s,
        transition.record.counters.dials,
        transition.record.counters.tries,
    ) == (0, 0.0, 2, 1)
    assert (transition.hold.scope if transition.hold else None) is hold
    assert transition.history
    assert (transition.history.outcome, transition.history.fate) == (AttemptOutcome.REFUSED, None)


@pytest.mark.parametrize(
    ("outcome", "disproved"),
    [
        (ACCEPTED, {"provider", "auth"}),
        (Accepted(update=fax_update(COMPLETED)), {"provider", "auth", "funds"}),
        (Refused(status=400), {"provider", "auth"}),
        (Refused(status=401), {"provider", "funds"}),
        (Refused(status=402), {"provider", "auth"}),
        (RateLimited(), {"provider", "auth"}),
        (NotSent(reason="no route"), set()),
        (Unclear(reason="", status=503), set()),
        (Unclear(reason="", status=302), set()),
        (Refused(status=301), set()),
        (Refused(status=405), set()),
    ],
)
def test_an_answer_says_which_holds_end_if_it_is_that_of_a_probe(outcome: SendOutcome, disproved: set[str]) -> None:
    assert settled(sending(), outcome).disproves == disproved


def test_the_late_acceptance_of_an_earlier_attempt_is_no_answer_to_a_probe() -> None:
    """The job waits, and the number of its last attempt was used up by a refusal."""
    late = Accepted(update=fax_update(UNFINISHED, attempt=1))
    assert settled(waiting(attempt=2), late).disproves == set()


@pytest.mark.parametrize("status", [100, 200, 302, 408, 500, 599, 800, 999])
def test_what_is_no_refusal_is_looked_for_whoever_calls_it_one(status: int) -> None:
    """No look-up leads to a job that waits and is sent again without one."""
    transition = settled(sending(), Refused(status=status))
    assert (transition.event, transition.record.state, transition.record.unclear) == (
        Event.UNCLEAR,
        State.SENDING,
        True,
    )
    assert (transition.record.failure.error_code, transition.history, transition.hold) == (status, None, None)


def test_the_provider_s_words_stand_in_the_history() -> None:
    transition = settled(sending(), Refused(status=400, message="to is missing"))
    assert transition.history
    assert transition.history.why.endswith("The provider said: to is missing")


@pytest.mark.parametrize(
    ("retry_after_s", "wait_ms"),
    [(None, 1000), (0.2, 200), (7.5, 1000), (1e300, 1000), (-5.0, 0), (math.nan, 1000), (1_795_000_000.0, 1000)],
)
def test_a_job_over_the_rate_goes_back_unspent(retry_after_s: float | None, wait_ms: int) -> None:
    """It does not wait by itself for what the account waits for: that may be ended for all of them."""
    transition = settled(sending(), RateLimited(retry_after_s=retry_after_s))
    assert (transition.event, transition.record.state, transition.record.lease) == (Event.GIVEN_BACK, State.WAITING, 0)
    assert (transition.next_ms, transition.rest_s, transition.spent, transition.history) == (
        NOW + wait_ms,
        0.0,
        0,
        None,
    )


def test_a_send_that_did_not_leave_goes_back_unspent_and_waits_longer_the_second_time() -> None:
    first = settled(sending(), NotSent(reason="no route"))
    again = settled(sending(category=first.record.failure.category), NotSent(reason="no route"))
    assert (first.record.state, first.record.failure.category, first.spent) == (State.WAITING, "transport", 0)
    assert NOW < first.next_ms < again.next_ms


def test_a_missed_slot_goes_back_at_once() -> None:
    transition = missed_slot(sending(), case(), attempt=1)
    assert transition
    assert (transition.record.state, transition.next_ms, transition.spent) == (State.WAITING, NOW, 0)


@pytest.mark.parametrize(
    ("status", "category"), [(None, "submit_unknown"), (500, "provider_error"), (504, "submit_unknown")]
)
def test_an_unclear_send_is_looked_for_after_its_deadline(status: int | None, category: str) -> None:
    """It stays in sending: nothing is sent again before the provider was asked."""
    transition = settled(sending(), Unclear(reason="reset", status=status))
    assert (transition.event, transition.record.state, transition.record.unclear) == (
        Event.UNCLEAR,
        State.SENDING,
        True,
    )
    assert (transition.record.failure.category, transition.rest_s, transition.spent) == (category, None, 0)
    assert transition.next_ms == scheduled_lookup_ms(sending(), POLICY)
    assert 15_000 <= transition.next_ms - send_deadline_ms(sending(), POLICY) < 45_000


def test_an_unclear_answer_that_comes_late_does_not_begin_the_looks_anew() -> None:
    transition = settled(sending(lookups=2), Unclear(reason="reset"))
    assert transition.record.lookups == 2
    assert transition.next_ms == scheduled_lookup_ms(sending(lookups=2), POLICY)


@pytest.mark.parametrize("outcome", OTHERS, ids=lambda outcome: type(outcome).__name__)
@pytest.mark.parametrize("record", [waiting(), leased(), accepted(), sending(attempt=2)], ids=lambda r: r.state.label)
def test_an_answer_says_nothing_of_a_job_that_has_moved_on(record: Record, outcome: SendOutcome) -> None:
    """A worker that slept through the search period does not take back the attempt after its own."""
    assert after_send(record, outcome, case(), attempt=1) is None
    assert missed_slot(record, case(), attempt=1) is None


@pytest.mark.parametrize("outcome", OTHERS[:3], ids=lambda outcome: type(outcome).__name__)
def test_a_job_whose_earlier_fax_turned_out_to_exist_is_not_sent_again(outcome: SendOutcome) -> None:
    """The present attempt left nothing at the provider, so the earlier fax is followed."""
    late = entry(FaxFate.UNFINISHED, "F1")
    transition = after_send(sending(attempt=2), outcome, case(late), attempt=2)
    assert transition
    assert (transition.event, transition.record.state, transition.record.fax_id) == (
        Event.ACCEPTED,
        State.ACCEPTED,
        "F1",
    )
    assert (transition.rest_s, transition.record.doubled) == (None, False)
