"""Applies the provider's updates on one fax of a job, in any order and any number of times."""

from dataclasses import replace
from typing import assert_never

from dispatcher.core.dead_numbers import call_end
from dispatcher.core.job import (
    NO_FAILURE,
    REVISION_MODULUS,
    AttemptOutcome,
    FailureCode,
    FaxFate,
    HistoryEntry,
    Record,
    State,
)
from dispatcher.core.lifecycle import Event
from dispatcher.core.limits.holds import FOUND, disproved_by_fax
from dispatcher.core.outcome import FaxStatus, FaxUpdate
from dispatcher.core.prices import arrived
from dispatcher.core.retry.classify import classify_fax, fax_error_type
from dispatcher.core.retry.context import DecisionContext
from dispatcher.core.retry.decide import decide_ended
from dispatcher.core.retry.decision import Ending, GiveUp
from dispatcher.core.retry_table.rule import Rule
from dispatcher.core.settlement.failure import DecidedFailure, after_failure, failed_attempt, spent_by
from dispatcher.core.settlement.known_faxes import known_faxes
from dispatcher.core.settlement.lost_writes import as_accepted_twice, is_accepted_twice, lost_write, with_attempt_number
from dispatcher.core.settlement.transition import Transition, attempt_over, fire, overdue_ms

#: fates of faxes whose end is not known yet
_OPEN = (FaxFate.UNFINISHED, FaxFate.UNENDED)


def after_update(record: Record, update: FaxUpdate, context: DecisionContext) -> Transition | None:
    """Decide what an update of a fax means for its job.

    An update of an earlier attempt counts as long as no later one is under way: a waiting or leased job adopts that
    fax. After that it is evidence: it is considered when the attempt that is under way ends, and if the provider had
    both at a time, the job was doubled. An attempt above the record's was begun by a write that the store has lost.
    """
    if update.attempt < 1:
        return None
    faxes = known_faxes(record, context.history)
    known = faxes.get(update.fax_id)
    if known and (known.fate not in _OPEN or update.status is FaxStatus.UNFINISHED):
        return _late_price(record, update, context)
    transition = _settled(with_attempt_number(record, update), update, context)
    twice = is_accepted_twice(faxes, update)
    if twice:
        entry = transition.history or _late_entry(record, update, context)
        transition = replace(transition, accepted_twice=True, history=as_accepted_twice(entry))
    uncounted = int(update.attempt > record.attempt)
    return replace(
        _with_gains(record, transition, context),
        lost=lost_write(record, update, other_fax_known=twice),
        spent=transition.spent + uncounted,
        call=call_end(update, called=_rule(update, context).called),
    )


def _late_price(record: Record, update: FaxUpdate, context: DecisionContext) -> Transition | None:
    """Note the price of a fax that the provider names after it has said how the fax ended.

    The first price that is named counts. That of the job's delivered fax is in its record, others are in its history.
    """
    if update.status is FaxStatus.UNFINISHED or not update.currency:
        return None
    if record.state is State.DELIVERED and update.fax_id == record.fax_id:
        if update.status is FaxStatus.FAILURE or record.currency:
            return None
        priced = replace(record, price=update.price, currency=update.currency)
        return _with_gains(record, fire(record, Transition(event=None, record=priced), context), context)
    last = next((entry for entry in reversed(context.history) if entry.fax_id == update.fax_id and entry.fate), None)
    if last is None or last.currency or not update.price:
        return None
    entry = replace(
        last,
        at_ms=context.now_ms,
        outcome=AttemptOutcome.PRICED,
        price=update.price,
        currency=update.currency,
        excused=False,
        why="the provider named the price of this fax after its end",
    )
    new = replace(record, history_revision=(record.history_revision + 1) % REVISION_MODULUS)
    transition = fire(record, Transition(event=None, record=new, history=entry), context)
    return _with_gains(record, transition, context)


def _with_gains(old: Record, transition: Transition, context: DecisionContext) -> Transition:
    """Return the transition with the pages and costs by which the job's faxes have grown."""
    history = [*context.history, transition.history] if transition.history else context.history
    gained = arrived(transition.record, history).since(arrived(old, context.history))
    return replace(transition, pages=gained.pages, costs=gained.costs)


def _settled(record: Record, update: FaxUpdate, context: DecisionContext) -> Transition:
    if not _decides(record, update):
        return _evidence(record, update, context)
    transition = _decided(record, update, context)
    # a probe is known by its attempt; this fax is that of an earlier one
    return transition if update.attempt == record.attempt else replace(transition, disproves=frozenset())


def _decided(record: Record, update: FaxUpdate, context: DecisionContext) -> Transition:
    match update.status:
        case FaxStatus.UNFINISHED:
            return _accepted(record, update, context)
        case FaxStatus.COMPLETED:
            return _delivered(record, update, context)
        case FaxStatus.FAILURE:
            return _failed(record, update, context)
    assert_never(update.status)


def _decides(record: Record, update: FaxUpdate) -> bool:
    """Whether the job's state depends on this fax now."""
    match record.state:
        case State.WAITING | State.LEASED:
            return True
        case State.SENDING:
            return update.attempt == record.attempt
        case State.ACCEPTED:
            return update.fax_id == record.fax_id
    return False


def _accepted(record: Record, update: FaxUpdate, context: DecisionContext) -> Transition:
    transition = Transition(
        event=Event.ACCEPTED,
        record=_with_fax(record, update, context),
        next_ms=overdue_ms(context),
        spent=spent_by(record),
        disproves=FOUND,
    )
    return fire(record, transition, context)


def _delivered(record: Record, update: FaxUpdate, context: DecisionContext) -> Transition:
    transition = Transition(
        event=Event.DELIVERED,
        record=replace(
            _with_fax(record, update, context), failure=NO_FAILURE, price=update.price, currency=update.currency
        ),
        rest_s=context.policy.number_distance_s,
        spent=spent_by(record),
        disproves=disproved_by_fax(),
    )
    return fire(record, transition, context)


def _failed(record: Record, update: FaxUpdate, context: DecisionContext) -> Transition:
    rule, decision = _judged(record, update, context)
    failure = DecidedFailure(
        rule=rule,
        decision=decision,
        entry=_failed_entry(update, AttemptOutcome.FAILED, rule, decision, context),
        rest_s=context.policy.number_distance_s if rule.called else 0.0,
        spent=spent_by(record),
    )
    transition = after_failure(record, _with_fax(record, update, context), failure, context)
    return replace(transition, disproves=disproved_by_fax(rule.category, called=rule.called))


def _evidence(record: Record, update: FaxUpdate, context: DecisionContext) -> Transition:
    """Keep the job as it is; its counters and its mark of doubled faxes follow what is known."""
    entry = _late_entry(record, update, context)
    new = replace(record, history_revision=(record.history_revision + 1) % REVISION_MODULUS)
    if update.status is FaxStatus.FAILURE:
        new = replace(new, counters=_judged(record, update, context)[1].counters)
    transition = fire(record, Transition(event=None, record=new, history=entry), context)
    if not transition.record.doubled or record.doubled:
        return transition
    return replace(transition, history=replace(entry, outcome=AttemptOutcome.DOUBLED))


def _rule(update: FaxUpdate, context: DecisionContext) -> Rule:
    return classify_fax(update.error_type, update.error_code, message=update.message, policy=context.policy)


def _judged(record: Record, update: FaxUpdate, context: DecisionContext) -> tuple[Rule, Ending]:
    rule = _rule(update, context)
    pages = update.pages_sent, update.pages_total
    attempt = failed_attempt(rule, record, context, pages_sent=pages[0], pages_total=pages[1])
    return rule, decide_ended(attempt, context)


def _late_entry(record: Record, update: FaxUpdate, context: DecisionContext) -> HistoryEntry:
    why = (
        f"the provider says {update.status} of attempt {update.attempt}, "
        f"when the job was {record.state.label} by another"
    )
    if update.status is FaxStatus.FAILURE:
        rule, decision = _judged(record, update, context)
        return replace(_failed_entry(update, AttemptOutcome.LATE, rule, decision, context), why=why)
    fate = FaxFate.DELIVERED if update.status is FaxStatus.COMPLETED else FaxFate.UNFINISHED
    return replace(_bare_entry(update, AttemptOutcome.LATE, context), fate=fate, why=why)


def _failed_entry(
    update: FaxUpdate, outcome: AttemptOutcome, rule: Rule, decision: Ending, context: DecisionContext
) -> HistoryEntry:
    unconfirmed = isinstance(decision, GiveUp) and decision.event is Event.UNCONFIRMED
    error_type = fax_error_type(update.error_type)
    return replace(
        _bare_entry(update, outcome, context),
        fate=FaxFate.PAGES_ARRIVED if unconfirmed else FaxFate.FAILED,
        failure=FailureCode(category=rule.category, error_type=error_type, error_code=update.error_code),
        why=decision.why,
    )


def _bare_entry(update: FaxUpdate, outcome: AttemptOutcome, context: DecisionContext) -> HistoryEntry:
    return HistoryEntry(
        attempt=update.attempt,
        at_ms=context.now_ms,
        outcome=outcome,
        fax_id=update.fax_id,
        created_ms=update.created_ms,
        ended_ms=update.ended_ms,
        pages_sent=update.pages_sent,
        pages_total=update.pages_total,
        price=update.price,
        currency=update.currency if update.price else "",
    )


def _with_fax(record: Record, update: FaxUpdate, context: DecisionContext) -> Record:
    """Return the record with what follows from any update of the fax that decides."""
    return replace(
        attempt_over(record, context),
        fax_id=update.fax_id,
        pages_sent=update.pages_sent,
        pages_total=update.pages_total,
        began_ms=update.created_ms or record.began_ms,
    )
