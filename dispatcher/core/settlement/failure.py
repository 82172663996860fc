"""What follows when an attempt has ended otherwise than by a delivery."""

from collections import Counter
from dataclasses import dataclass, replace
from typing import assert_never

from dispatcher.core.failures import Rule, Scope, Verdict
from dispatcher.core.job import AttemptOutcome, FaxFate, HistoryEntry, Record, State
from dispatcher.core.lifecycle import Event
from dispatcher.core.policy import Policy
from dispatcher.core.retry import Ending, FailureHistory, GiveUp, OpenHold, RetryAt, probes_s
from dispatcher.core.settlement.known_faxes import foremost
from dispatcher.core.settlement.transition import DecisionContext, HoldRequest, Transition, move, overdue_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class DecidedFailure:
    """A failed or refused attempt with what was decided about it."""

    rule: Rule
    decision: Ending
    entry: HistoryEntry
    #: seconds that the number rests
    rest_s: float = 0.0
    spent: int = 0


def after_failure(old: Record, ended: Record, failure: DecidedFailure, case: DecisionContext) -> Transition:
    """The step that the decision asks for. ``ended`` is the record with the failure in it, its state still to be."""
    decision = failure.decision
    ended = replace(counted(ended, decision), error_type=failure.entry.error_type, error_code=failure.entry.error_code)
    ended = replace(ended, category=failure.rule.category, lease=0, changed_ms=case.now_ms)
    event, new, next_ms = _consequence(ended, decision)
    step = Transition(
        event=event,
        record=new,
        next_ms=next_ms,
        history=failure.entry,
        rest_s=failure.rest_s,
        spent=failure.spent,
        hold=_hold_wanted(failure.rule, decision, case.policy),
    )
    return unless_another(old, step, case)


def unless_another(old: Record, step: Transition, case: DecisionContext) -> Transition:
    """The step that ends an attempt, unless another fax of the job is delivered or may yet be: that one decides then.

    Only an attempt that was believed not to exist leaves such a fax behind. What was heard of it while the later
    attempt was under way is in the history.
    """
    other = foremost([*case.history, step.history] if step.history else case.history)
    if other is not None and other is not step.history:
        step = _adopted(step, other, case)
    return move(old, step, case)


def counted(record: Record, decision: Ending) -> Record:
    """The record with the counters that the decision leaves; a hold spends nothing."""
    if isinstance(decision, OpenHold):
        return record
    counts = decision.counters
    return replace(record, dials=counts.dials, tries=counts.tries, server_errors=counts.server_errors)


def spent_by(record: Record) -> int:
    """An attempt counts once: when it leaves ``sending`` for good."""
    return int(record.state is State.SENDING)


def failure_history(record: Record, case: DecisionContext) -> FailureHistory:
    """What the retry decision has to know of the job so far."""
    failures = [entry for entry in case.history if _is_failure(entry) and not entry.excused]
    return FailureHistory(
        failures=Counter(entry.category for entry in failures),
        dials=record.dials,
        tries=record.tries,
        server_errors=record.server_errors,
        best_pages=max((entry.pages_sent for entry in failures), default=0),
        already_fine=record.force_fine,
        looks=record.looks,
    )


def _is_failure(entry: HistoryEntry) -> bool:
    return entry.outcome in (AttemptOutcome.REFUSED, AttemptOutcome.VANISHED) or entry.fate in (
        FaxFate.FAILED,
        FaxFate.UNCONFIRMED,
    )


def _consequence(ended: Record, decision: Ending) -> tuple[Event, Record, int]:
    match decision:
        case RetryAt():
            return Event.RETRIED, replace(ended, state=State.WAITING, force_fine=decision.force_fine), decision.at_ms
        case GiveUp():
            return Event.GIVEN_UP, replace(ended, state=decision.state), 0
        case OpenHold():
            return Event.RETRIED, replace(ended, state=State.WAITING), decision.at_ms
    assert_never(decision)


def _hold_wanted(rule: Rule, decision: Ending, policy: Policy) -> HoldRequest | None:
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
    # a rule that does not hold its own job may hold the others': the pages arrived, and yet the account has no funds
    series = probes_s(rule.category, policy) if rule.verdict is Verdict.HOLD else ()
    scope = rule.scope or Scope.JOB
    return HoldRequest(scope=scope, category=rule.category, cause=rule.why, hold_after=rule.hold_after, probes_s=series)


def _adopted(step: Transition, other: HistoryEntry, case: DecisionContext) -> Transition:
    record = replace(
        step.record,
        fax_id=other.fax_id,
        category=other.category,
        error_type=other.error_type,
        error_code=other.error_code,
        pages_sent=other.pages_sent,
        pages_total=other.pages_total,
        looks=0,
        unclear=False,
        began_ms=other.created_ms or step.record.began_ms,
    )
    match other.fate:
        case FaxFate.DELIVERED:
            return replace(step, event=Event.DELIVERED, record=replace(record, state=State.DELIVERED), next_ms=0)
        case FaxFate.UNFINISHED:
            record = replace(record, state=State.ACCEPTED)
            return replace(step, event=Event.ACCEPTED, record=record, next_ms=overdue_ms(case), rest_s=None)
    unconfirmed = replace(record, state=State.DELIVERED_UNCONFIRMED)
    return replace(step, event=Event.GIVEN_UP, record=unconfirmed, next_ms=0)
