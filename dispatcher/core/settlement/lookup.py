"""Decides what follows when the provider was asked and reported nothing new.

An unclear send was not found, or an accepted fax has not ended.
"""

from dataclasses import replace

from dispatcher.core.durations import duration_text
from dispatcher.core.job import AttemptOutcome, FaxFate, HistoryEntry, Record, State
from dispatcher.core.lifecycle import Event
from dispatcher.core.outcome import FaxStatus, FaxUpdate
from dispatcher.core.policy.policy import Policy
from dispatcher.core.retry.classify import classify
from dispatcher.core.retry.context import DecisionContext
from dispatcher.core.retry.decide import decide, decide_absent
from dispatcher.core.retry.decision import GiveUp, LookUp
from dispatcher.core.retry.waits import (
    lookup_spacing_ms,
    next_lookup_ms,
    poll_at_ms,
    read_at_ms,
    readback_delay_s,
    shared_ms,
)
from dispatcher.core.retry_table.requests import CALLBACK_MISSING, READBACK_MISSING, SUBMIT_UNKNOWN
from dispatcher.core.retry_table.rule import HTTP, Rule
from dispatcher.core.settlement.failure import failed_attempt, http_failure, unless_another
from dispatcher.core.settlement.fax_update import after_update
from dispatcher.core.settlement.transition import Transition, attempt_over, fire, job_hold, send_deadline_ms

#: entries of a history for attempts that failed while the provider was down; more would only repeat them
_EXCUSED_KEPT = 20
#: how much before its time a look-up may be asked: two machines' views of the server's clock differ a little
_EARLY_MS = 100


def lookup_due_ms(record: Record, policy: Policy) -> int:
    """Return from when on a look-up for an attempt that is being sent counts, milliseconds since 1970."""
    deadline_ms = send_deadline_ms(record, policy)
    due_ms = next_lookup_ms(deadline_ms=deadline_ms, lookups=record.lookups, policy=policy)
    return deadline_ms if due_ms is None else due_ms


def scheduled_lookup_ms(record: Record, policy: Policy) -> int:
    """Return when the attempt is searched for next: at a time shared with other jobs, except for the last look-up."""
    return shared_ms(lookup_due_ms(record, policy), lookup_spacing_ms(record.lookups, policy))


def is_last_lookup(record: Record, policy: Policy) -> bool:
    """Return whether the next look-up ends the search: it has to list the number itself, over a wide range of time."""
    return record.lookups + 1 >= len(policy.lookups_s)


def after_empty_lookup(
    record: Record, context: DecisionContext, *, attempt: int, asked_ms: int, exact: bool, answered: bool = True
) -> Transition | None:
    """Decide what follows a completed look-up that found no fax: another look-up, or after the last one a repeat.

    A look-up that repeats an earlier one (a message that came twice, two that overlap) must not shorten the search
    period: it counts only from the time at which it was due. It counts for all look-ups that were due by then except
    the last, which has to follow by itself.

    Args:
        record: the job's record.
        context: the inputs of the decision.
        attempt: the attempt that was searched for.
        asked_ms: when the provider was asked.
        exact: the look-up listed the number itself, as the last one must. A window lists faxes by the provider's
            clock, so it does not prove that a fax is absent.
        answered: the provider has answered some send since the attempt began. If not, its absence counts for nothing.
    """
    if record.state is not State.SENDING or record.attempt != attempt:
        return None
    asked_ms += _EARLY_MS
    if asked_ms < lookup_due_ms(record, context.policy):
        return None
    if is_last_lookup(record, context.policy):
        return _vanished(record, context, answered=answered) if exact else None
    looked = _looked_by(record, asked_ms, context.policy)
    next_ms = max(context.now_ms, scheduled_lookup_ms(looked, context.policy))
    return fire(record, Transition(event=Event.NO_NEWS, record=looked, next_ms=next_ms), context)


def _looked_by(record: Record, asked_ms: int, policy: Policy) -> Record:
    """Return the record after all look-ups that were due by then, except the last."""
    while not is_last_lookup(record, policy) and lookup_due_ms(record, policy) <= asked_ms:
        record = replace(record, lookups=record.lookups + 1)
    return record


def after_read(record: Record, update: FaxUpdate | None, context: DecisionContext) -> Transition | None:
    """Decide what reading an accepted fax back means. No update: the provider does not list or know it (yet).

    A fax without an end ends its job after the policy's ``unended``, whether the provider still knows it or not.
    """
    if update is not None and update.fax_id == record.fax_id:
        update = replace(update, attempt=update.attempt or record.attempt)  # its id identifies it, labels or not
    if update is not None and (update.status is not FaxStatus.UNFINISHED or update.fax_id != record.fax_id):
        return after_update(record, update, context)
    if record.state is not State.ACCEPTED:
        return None
    if context.now_ms >= record.changed_ms + round(context.policy.unended_s * 1000):
        return _unended(record, context)
    if update is None:
        return _unknown(record, context)
    lookups = 1 if record.unclear else record.lookups + 1
    new = replace(record, lookups=lookups, unclear=False)
    return fire(record, Transition(event=Event.NO_NEWS, record=new, next_ms=_read_at_ms(lookups, context)), context)


def _unknown(record: Record, context: DecisionContext) -> Transition:
    """Decide about a fax that the provider accepted and does not know.

    It is asked a few times more, and then a person has to decide: the paper may have arrived, so the job is neither
    sent again nor given up. Later updates of the fax still count.
    """
    missed = record.lookups if record.unclear else 0
    decision = decide(failed_attempt(READBACK_MISSING, replace(record, lookups=missed), context), context)
    if isinstance(decision, LookUp):
        new = replace(record, lookups=missed + 1, unclear=True)
        return fire(record, Transition(event=Event.NO_NEWS, record=new, next_ms=decision.first_lookup_ms), context)
    entry = HistoryEntry(
        attempt=record.attempt,
        at_ms=context.now_ms,
        outcome=AttemptOutcome.VANISHED,
        failure=READBACK_MISSING.failure,
        fax_id=record.fax_id,
        why=decision.why,
    )
    held = replace(attempt_over(record, context), failure=entry.failure)
    transition = Transition(event=Event.VANISHED, record=held, history=entry, rest_s=0.0, hold=job_hold(entry))
    return unless_another(record, transition, context)


def _unended(record: Record, context: DecisionContext) -> Transition:
    """End a job whose fax never ended. The paper may have arrived, so it is not sent again."""
    why = f"the provider reported no result within {duration_text(context.policy.unended_s)}: it may have arrived"
    entry = HistoryEntry(
        attempt=record.attempt,
        at_ms=context.now_ms,
        outcome=AttemptOutcome.UNENDED,
        failure=CALLBACK_MISSING.failure,
        fax_id=record.fax_id,
        fate=FaxFate.UNENDED,
        created_ms=record.began_ms,
        why=why,
    )
    ended = replace(attempt_over(record, context), failure=entry.failure)
    return unless_another(record, Transition(event=Event.UNCONFIRMED, record=ended, history=entry, rest_s=0.0), context)


def _read_at_ms(reads: int, context: DecisionContext) -> int:
    if context.polling:
        return poll_at_ms(reads, context.policy, context.now_ms)
    return read_at_ms(readback_delay_s(reads - 1, context.policy), context.now_ms)


def _vanished(record: Record, context: DecisionContext, *, answered: bool) -> Transition:
    rule, status = _rule_of_absence(record, context.policy)
    decision = decide_absent(failed_attempt(rule, record, context), context, answered=answered)
    entry = HistoryEntry(
        attempt=record.attempt,
        at_ms=context.now_ms,
        outcome=AttemptOutcome.VANISHED,
        failure=http_failure(rule, status),
        excused=not answered,
        why=decision.why,
    )
    transition = Transition(
        event=decision.event if isinstance(decision, GiveUp) else Event.VANISHED,
        record=replace(attempt_over(record, context), counters=decision.counters, failure=entry.failure),
        next_ms=0 if isinstance(decision, GiveUp) else decision.at_ms,
        history=entry if answered or _excused(context) < _EXCUSED_KEPT else None,
        rest_s=0.0,
        spent=1,
    )
    return unless_another(record, transition, context)


def _excused(context: DecisionContext) -> int:
    return sum(entry.excused for entry in context.history)


def _rule_of_absence(record: Record, policy: Policy) -> tuple[Rule, int]:
    """Return the row of the unclear answer, with its status. Without an answer the record shows the attempt before."""
    if not record.unclear:
        return SUBMIT_UNKNOWN, 0
    status = record.failure.error_code
    return classify(HTTP, status, policy=policy), status
