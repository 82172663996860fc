"""Applies the result of a POST to the job: the provider's answer, or that there was none."""

from dataclasses import replace
from typing import assert_never

from dispatcher.core.job import AttemptOutcome, HistoryEntry, Record, State
from dispatcher.core.lifecycle import Event
from dispatcher.core.limits.holds import ANSWERED, disproved_by_refusal, is_providers_failure
from dispatcher.core.outcome import Accepted, NotSent, RateLimited, Refused, SendOutcome, Unclear
from dispatcher.core.retry.classify import classify
from dispatcher.core.retry.context import DecisionContext
from dispatcher.core.retry.decide import decide_ended
from dispatcher.core.retry.waits import backoff_transport, capped_retry_after_s
from dispatcher.core.retry_table.requests import INTERNAL, TRANSPORT
from dispatcher.core.retry_table.rule import HTTP, Category, Verdict
from dispatcher.core.settlement.failure import (
    DecidedFailure,
    after_failure,
    failed_attempt,
    http_failure,
    unless_another,
)
from dispatcher.core.settlement.fax_update import after_update
from dispatcher.core.settlement.lookup import scheduled_lookup_ms
from dispatcher.core.settlement.transition import Transition, attempt_over, fire, job_hold

#: how many transport failures in a row a job is taken to have had when its last attempt did not leave either
_TRANSPORT_AGAIN = 5


def after_send(record: Record, outcome: SendOutcome, context: DecisionContext, *, attempt: int) -> Transition | None:
    """Decide what the answer to the POST of ``attempt`` means for the record that is stored by now.

    Only an acceptance matters to a job that has moved on: a worker that slept through the search period must not take
    back the attempt that came after its own.
    """
    if isinstance(outcome, Accepted):
        transition = after_update(record, outcome.update, context)
        # a probe is known by its attempt, and this one may be an earlier one
        answered = ANSWERED if attempt == record.attempt else frozenset[str]()
        return transition and replace(transition, disproves=transition.disproves | answered)
    if not _is_sending(record, attempt):
        return None
    match outcome:
        case Refused():
            return _refused(record, outcome, context)
        case RateLimited():
            return replace(_given_back(record, context, _wait_429_s(outcome, context)), disproves=ANSWERED)
        case NotSent():
            return _not_sent(record, context)
        case Unclear():
            return _unclear(record, outcome, context)
    assert_never(outcome)


def missed_slot(record: Record, context: DecisionContext, *, attempt: int) -> Transition | None:
    """Give the job back: the worker was too late for its slot and sent nothing."""
    return _given_back(record, context, 0.0) if _is_sending(record, attempt) else None


def unsendable(record: Record, context: DecisionContext, *, lease: int, why: str) -> Transition | None:
    """Hold a job whose fax cannot be built until a person releases it; nothing was sent, nothing is spent."""
    if record.state is not State.LEASED or record.lease != lease:
        return None
    entry = HistoryEntry(
        attempt=record.attempt,
        at_ms=context.now_ms,
        outcome=AttemptOutcome.REFUSED,
        failure=INTERNAL.failure,
        why=why,
    )
    held = replace(record, strikes=0, lease=0, failure=entry.failure, changed_ms=context.now_ms)
    return fire(record, Transition(event=Event.RETRIED, record=held, history=entry, hold=job_hold(entry)), context)


def put_back(record: Record, context: DecisionContext, *, lease: int) -> Transition | None:
    """Give a leased job back that was not begun; nothing was sent, nothing is spent."""
    if record.state is not State.LEASED or record.lease != lease:
        return None
    waiting = replace(record, strikes=0, lease=0)
    return fire(record, Transition(event=Event.GIVEN_BACK, record=waiting, next_ms=context.now_ms), context)


def _is_sending(record: Record, attempt: int) -> bool:
    return record.state is State.SENDING and record.attempt == attempt


def _wait_429_s(outcome: RateLimited, context: DecisionContext) -> float:
    """Return a short wait: the account waits as long as the provider asks, and an operator may end that for all."""
    named_s = capped_retry_after_s(outcome.retry_after_s)
    first_s = context.policy.backoff_429_s[0]
    return first_s if named_s is None else min(named_s, first_s)


def _refused(record: Record, outcome: Refused, context: DecisionContext) -> Transition:
    rule = classify(HTTP, outcome.status, fields=outcome.fields, policy=context.policy)
    if rule.verdict_now is Verdict.UNCERTAIN:  # no refusal, then: whether the fax was accepted is open
        return _unclear(record, Unclear(reason=outcome.message, status=outcome.status), context)
    decision = decide_ended(failed_attempt(rule, record, context), context)
    entry = HistoryEntry(
        attempt=record.attempt,
        at_ms=context.now_ms,
        outcome=AttemptOutcome.REFUSED,
        failure=http_failure(rule, outcome.status),
        why=f"{decision.why} The provider said: {outcome.message}" if outcome.message else decision.why,
    )
    failure = DecidedFailure(rule=rule, decision=decision, entry=entry)
    transition = after_failure(record, attempt_over(record, context), failure, context)
    usable = not is_providers_failure(outcome)
    return replace(transition, disproves=disproved_by_refusal(rule.category) if usable else frozenset())


def _not_sent(record: Record, context: DecisionContext) -> Transition:
    """Give the job back. The record still shows whether the attempt before failed in the same way."""
    again = _TRANSPORT_AGAIN if record.failure.category == Category.TRANSPORT else 0
    failed = replace(record, failure=http_failure(TRANSPORT, 0))
    wait_s = backoff_transport(again, context.policy, context.chance)
    return _given_back(record, context, wait_s, failed)


def _given_back(record: Record, context: DecisionContext, wait_s: float, failed: Record | None = None) -> Transition:
    new = attempt_over(failed or record, context)
    transition = Transition(event=Event.GIVEN_BACK, record=new, next_ms=context.after_ms(wait_s), rest_s=0.0)
    return unless_another(record, transition, context)


def _unclear(record: Record, outcome: Unclear, context: DecisionContext) -> Transition:
    status = outcome.status or 0
    rule = classify(HTTP, status, policy=context.policy)
    new = replace(record, unclear=True, failure=http_failure(rule, status))
    next_ms = max(context.now_ms, scheduled_lookup_ms(record, context.policy))
    return fire(record, Transition(event=Event.UNCLEAR, record=new, next_ms=next_ms), context)
