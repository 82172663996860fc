"""Decides what follows when an attempt has ended without a delivery."""

from collections import Counter
from dataclasses import dataclass, replace

from dispatcher.core.job import AttemptOutcome, FailureCode, FaxFate, HistoryEntry, Record, State
from dispatcher.core.lifecycle import Event
from dispatcher.core.policy.policy import Policy
from dispatcher.core.retry.context import DecisionContext
from dispatcher.core.retry.decision import Ending, FailedAttempt, FailureHistory, GiveUp, OpenHold, RetryAt
from dispatcher.core.retry.waits import probes_s
from dispatcher.core.retry_table.rule import HTTP, Rule, Scope, Verdict
from dispatcher.core.settlement.known_faxes import deciding_entry
from dispatcher.core.settlement.transition import HoldRequest, Transition, fire, overdue_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class DecidedFailure:
    """A failed or refused attempt, and what was decided about it."""

    rule: Rule
    decision: Ending
    entry: HistoryEntry
    #: seconds before the number may be called again
    rest_s: float = 0.0
    spent: int = 0


def after_failure(old: Record, ended: Record, failure: DecidedFailure, context: DecisionContext) -> Transition:
    """Turn the retry decision into a transition. ``ended`` is the record with what the attempt left behind."""
    decision = failure.decision
    record = replace(
        ended,
        counters=decision.counters,
        failure=failure.entry.failure,
        force_fine=decision.force_fine if isinstance(decision, RetryAt) else ended.force_fine,
        lease=0,
        changed_ms=context.now_ms,
    )
    transition = Transition(
        event=decision.event if isinstance(decision, GiveUp) else Event.RETRIED,
        record=record,
        next_ms=0 if isinstance(decision, GiveUp) else decision.at_ms,
        history=failure.entry,
        rest_s=failure.rest_s,
        spent=failure.spent,
        hold=_hold_request(failure.rule, decision, context.policy),
    )
    return unless_another(old, transition, context)


def unless_another(old: Record, transition: Transition, context: DecisionContext) -> Transition:
    """Fire a transition that ends an attempt, unless another fax of the job decides.

    A fax that is delivered, or may yet be, decides. Only an attempt that was believed not to exist leaves such a fax
    behind; updates of it that came while the later attempt was under way are in the history.
    """
    other = deciding_entry([*context.history, transition.history] if transition.history else context.history)
    if other is not None and other is not transition.history:
        transition = _adopted(transition, other, context)
    return fire(old, transition, context)


def spent_by(record: Record) -> int:
    """Return 1 if the attempt counts as made now. It counts once: when it leaves ``sending`` finally."""
    return int(record.state is State.SENDING)


def failed_attempt(
    rule: Rule, record: Record, context: DecisionContext, *, pages_sent: int = 0, pages_total: int = 0
) -> FailedAttempt:
    """Return what the retry decision has to know: the failure, and the job's failures before it."""
    failures = [entry for entry in context.history if _is_failure(entry) and not entry.excused]
    history = FailureHistory(
        failures=Counter(entry.failure.category for entry in failures),
        counters=record.counters,
        best_pages=max((entry.pages_sent for entry in failures), default=0),
        already_fine=record.force_fine,
        lookups=record.lookups,
    )
    return FailedAttempt(rule=rule, history=history, pages_sent=pages_sent, pages_total=pages_total)


def http_failure(rule: Rule, status: int) -> FailureCode:
    """Return what an answer to a request is kept as; the status is 0 if there was no answer."""
    return FailureCode(category=rule.category, error_type=HTTP, error_code=status)


def _is_failure(entry: HistoryEntry) -> bool:
    if entry.outcome is AttemptOutcome.PRICED:
        return False  # an earlier entry of the same fax counts
    return entry.outcome in (AttemptOutcome.REFUSED, AttemptOutcome.VANISHED) or entry.fate in (
        FaxFate.FAILED,
        FaxFate.PAGES_ARRIVED,
    )


def _hold_request(rule: Rule, decision: Ending, policy: Policy) -> HoldRequest | None:
    if isinstance(decision, OpenHold):
        return HoldRequest(
            scope=decision.scope,
            category=decision.category,
            cause=decision.cause,
            probes_s=decision.probes_s,
            wider=_hold_of(rule.wider, policy) if rule.wider else None,
        )
    if rule.scope is None or not rule.hold_after:
        return None
    return _hold_of(rule, policy)


def _hold_of(rule: Rule, policy: Policy) -> HoldRequest:
    # a rule that does not hold its own job may hold others: the pages arrived, and yet the account has no funds
    series = probes_s(rule.category, policy) if rule.verdict is Verdict.HOLD else ()
    scope = rule.scope or Scope.JOB
    return HoldRequest(scope=scope, category=rule.category, cause=rule.why, hold_after=rule.hold_after, probes_s=series)


def _adopted(transition: Transition, other: HistoryEntry, context: DecisionContext) -> Transition:
    """Let the job follow another of its faxes, which its history knows. It does not wait, so nothing holds it alone."""
    if transition.hold is not None and transition.hold.scope is Scope.JOB:
        transition = replace(transition, hold=None)
    record = replace(
        transition.record,
        fax_id=other.fax_id,
        failure=other.failure,
        pages_sent=other.pages_sent,
        pages_total=other.pages_total,
        lookups=0,
        unclear=False,
        began_ms=other.created_ms or transition.record.began_ms,
    )
    match other.fate:
        case FaxFate.DELIVERED:
            delivered = replace(record, price=other.price, currency=other.currency)
            return replace(transition, event=Event.DELIVERED, record=delivered, next_ms=0)
        case FaxFate.UNFINISHED:
            return replace(transition, event=Event.ACCEPTED, record=record, next_ms=overdue_ms(context), rest_s=None)
    return replace(transition, event=Event.UNCONFIRMED, record=record, next_ms=0)
