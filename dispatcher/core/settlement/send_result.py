"""What the answer to a POST means, or that there was none."""

from dataclasses import replace
from typing import assert_never

from dispatcher.core.failures import INTERNAL, TRANSPORT, Category, Verdict, classify
from dispatcher.core.holding import ANSWERED, disproved_by_refusal, is_providers_failure
from dispatcher.core.job import AttemptOutcome, HistoryEntry, Record, State
from dispatcher.core.lifecycle import Event
from dispatcher.core.outcome import Accepted, NotSent, RateLimited, Refused, SendOutcome, Unclear
from dispatcher.core.retry import backoff_transport, decide_ended
from dispatcher.core.settlement.failure import DecidedFailure, after_failure, failure_history, unless_another
from dispatcher.core.settlement.fax_update import after_update
from dispatcher.core.settlement.lookup import next_look_at_ms
from dispatcher.core.settlement.transition import HELD_MS, DecisionContext, Transition, move
from dispatcher.core.waits import capped_retry_after_s

#: how many transport failures in a row a job is taken to have had when its last attempt did not leave either
_TRANSPORT_AGAIN = 5


def after_send(record: Record, outcome: SendOutcome, case: DecisionContext, *, attempt: int) -> Transition | None:
    """What the answer to the POST of ``attempt`` means for the record that stands there by now.

    Only an acceptance says something of a job that has moved on: a worker that slept through the settling time must
    not take back the attempt that came after its own.
    """
    if isinstance(outcome, Accepted):
        step = after_update(record, outcome.update, case)
        # a probe is known by its attempt, and this one may be an earlier one
        return step and replace(step, disproves=step.disproves | (ANSWERED if attempt == record.attempt else set()))
    if not _is_sending(record, attempt):
        return None
    match outcome:
        case Refused():
            return _refused(record, outcome, case)
        case RateLimited():
            return replace(_given_back(record, case, _wait_429_s(outcome, case)), disproves=ANSWERED)
        case NotSent():
            return _not_sent(record, case)
        case Unclear():
            return _unclear(record, outcome, case)
    assert_never(outcome)


def _wait_429_s(outcome: RateLimited, case: DecisionContext) -> float:
    """Short: it is the account that waits as long as the provider says, and an operator may end that for all jobs."""
    named_s = capped_retry_after_s(outcome.retry_after_s)
    first_s = case.policy.backoff_429_s[0]
    return first_s if named_s is None else min(named_s, first_s)


def missed_slot(record: Record, case: DecisionContext, *, attempt: int) -> Transition | None:
    """The worker was too late for its slot and sent nothing."""
    return _given_back(record, case, 0.0) if _is_sending(record, attempt) else None


def unsendable(record: Record, case: DecisionContext, *, lease: int, why: str) -> Transition | None:
    """Something that the fax is made of is missing. The job waits for a person; nothing was sent, nothing is spent."""
    if record.state is not State.LEASED or record.lease != lease:
        return None
    entry = HistoryEntry(
        attempt=record.attempt,
        at_ms=case.now_ms,
        outcome=AttemptOutcome.REFUSED,
        category=INTERNAL.category,
        error_type=INTERNAL.error_type,
        error_code=INTERNAL.error_code,
        why=why,
    )
    held = replace(record, state=State.WAITING, strikes=0, lease=0, category=entry.category, changed_ms=case.now_ms)
    held = replace(held, error_type=entry.error_type, error_code=entry.error_code)
    return move(record, Transition(event=Event.RETRIED, record=held, next_ms=HELD_MS, history=entry), case)


def _is_sending(record: Record, attempt: int) -> bool:
    return record.state is State.SENDING and record.attempt == attempt


def _refused(record: Record, outcome: Refused, case: DecisionContext) -> Transition:
    rule = classify("http", outcome.status, fields=outcome.fields, policy=case.policy)
    if rule.verdict_now is Verdict.UNCERTAIN:  # no refusal, then: whether something was taken is open
        return _unclear(record, Unclear(reason=outcome.message, status=outcome.status), case)
    decision = decide_ended(
        rule, history=failure_history(record, case), policy=case.policy, now_ms=case.now_ms, chance=case.chance
    )
    entry = HistoryEntry(
        attempt=record.attempt,
        at_ms=case.now_ms,
        outcome=AttemptOutcome.REFUSED,
        category=rule.category,
        error_type="http",
        error_code=outcome.status,
        why=f"{decision.why} The provider said: {outcome.message}" if outcome.message else decision.why,
    )
    step = after_failure(record, _left(record, case), DecidedFailure(rule=rule, decision=decision, entry=entry), case)
    usable = not is_providers_failure(outcome)
    return replace(step, disproves=disproved_by_refusal(rule.category) if usable else frozenset())


def _not_sent(record: Record, case: DecisionContext) -> Transition:
    """Told apart from the first time by what the record still says of the attempt before."""
    n = _TRANSPORT_AGAIN if record.category == Category.TRANSPORT else 0
    failed = replace(record, category=TRANSPORT.category, error_type="http", error_code=0)
    return _given_back(record, case, backoff_transport(n, case.policy, case.chance), failed)


def _given_back(record: Record, case: DecisionContext, wait_s: float, failed: Record | None = None) -> Transition:
    new = replace(_left(failed or record, case), state=State.WAITING)
    step = Transition(event=Event.GIVEN_BACK, record=new, next_ms=case.after_ms(wait_s), rest_s=0.0)
    return unless_another(record, step, case)


def _unclear(record: Record, outcome: Unclear, case: DecisionContext) -> Transition:
    status = outcome.status or 0
    rule = classify("http", status, policy=case.policy)
    new = replace(record, unclear=True, category=rule.category, error_type="http", error_code=status)
    next_ms = max(case.now_ms, next_look_at_ms(record, case.policy))
    return move(record, Transition(event=Event.UNCLEAR, record=new, next_ms=next_ms), case)


def _left(record: Record, case: DecisionContext) -> Record:
    """Nothing of the attempt is at the provider."""
    return replace(record, lease=0, looks=0, unclear=False, changed_ms=case.now_ms)
