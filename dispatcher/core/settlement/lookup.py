"""What it means that the provider was asked and had no news: an unclear send was not found, a fax has not ended."""

from dataclasses import replace

from dispatcher.core.durations import duration_text
from dispatcher.core.failures import CALLBACK_MISSING, READBACK_MISSING, SUBMIT_UNKNOWN, Rule, classify
from dispatcher.core.job import AttemptOutcome, FaxFate, HistoryEntry, Record, State
from dispatcher.core.lifecycle import Event
from dispatcher.core.outcome import FaxStatus, FaxUpdate
from dispatcher.core.policy import Policy
from dispatcher.core.retry import GiveUp, LookUp, decide, decide_absent, next_look_ms, poll_at_ms, readback_delay_s
from dispatcher.core.settlement.failure import counted, failure_history, unless_another
from dispatcher.core.settlement.fax_update import after_update
from dispatcher.core.settlement.transition import HELD_MS, DecisionContext, Transition, move, send_deadline_ms
from dispatcher.core.waits import look_apart_ms, read_at_ms, shared_ms

#: entries of a history for attempts that failed while the provider was down; the others would only repeat them
_EXCUSED_KEPT = 20
#: how much before its time a look may be asked: two machines' views of the server's clock differ a little
_EARLY_MS = 100


def look_due_ms(record: Record, policy: Policy) -> int:
    """From when on a look for an attempt that is being sent counts, milliseconds since 1970."""
    deadline_ms = send_deadline_ms(record, policy)
    at_ms = next_look_ms(deadline_ms=deadline_ms, looks=record.looks, policy=policy)
    return deadline_ms if at_ms is None else at_ms


def next_look_at_ms(record: Record, policy: Policy) -> int:
    """When it is looked for next: at a time that it shares with others, unless the look is the last."""
    return shared_ms(look_due_ms(record, policy), look_apart_ms(record.looks, policy))


def is_last_look(record: Record, policy: Policy) -> bool:
    """Whether the next look ends the search: it has to list the number itself, over a wide range of time."""
    return record.looks + 1 >= len(policy.looks_s)


def after_empty_look(
    record: Record, case: DecisionContext, *, attempt: int, asked_ms: int, exact: bool, answered: bool = True
) -> Transition | None:
    """A completed look-up found no fax of ``attempt``: it is looked for again, or written off after the last look.

    ``asked_ms`` is when the provider was asked. A look that repeats an earlier one (a message that came twice, two
    that overlap) must not shorten the settling time: it counts only from the time at which it was due. It counts for
    all looks that were due by then but the last, which has to follow by itself, and has to be an ``exact`` one that
    listed the number itself: a window shows what lies in it by the provider's clock, and proves no absence.
    ``answered``: the provider has answered some send since the attempt began; else its absence counts for nothing.
    """
    if record.state is not State.SENDING or record.attempt != attempt:
        return None
    asked_ms += _EARLY_MS
    if asked_ms < look_due_ms(record, case.policy):
        return None
    if is_last_look(record, case.policy):
        return _vanished(record, case, answered=answered) if exact else None
    looked = _looked_by(record, asked_ms, case.policy)
    next_ms = max(case.now_ms, next_look_at_ms(looked, case.policy))
    return move(record, Transition(event=Event.NO_NEWS, record=looked, next_ms=next_ms), case)


def _looked_by(record: Record, asked_ms: int, policy: Policy) -> Record:
    """The record after all looks that were due by then, but for the last."""
    while not is_last_look(record, policy) and look_due_ms(record, policy) <= asked_ms:
        record = replace(record, looks=record.looks + 1)
    return record


def after_read(record: Record, news: FaxUpdate | None, case: DecisionContext) -> Transition | None:
    """What reading an accepted fax back means. None as news: the provider does not list or know it (yet).

    A fax without an end ends its job after the policy's ``unended``, whether the provider still knows it or not.
    """
    if news is not None and news.fax_id == record.fax_id:
        news = replace(news, attempt=news.attempt or record.attempt)  # it is known by its id, with labels or without
    if news is not None and (news.status is not FaxStatus.UNFINISHED or news.fax_id != record.fax_id):
        return after_update(record, news, case)
    if record.state is not State.ACCEPTED:
        return None
    if case.now_ms >= record.changed_ms + round(case.policy.unended_s * 1000):
        return _unended(record, case)
    if news is None:
        return _unknown(record, case)
    looks = 1 if record.unclear else record.looks + 1
    new = replace(record, looks=looks, unclear=False)
    return move(record, Transition(event=Event.NO_NEWS, record=new, next_ms=_read_at_ms(looks, case)), case)


def _unknown(record: Record, case: DecisionContext) -> Transition:
    """The provider does not know a fax that it accepted. It is asked a few times more, and then it is a person's turn:
    the paper may have arrived, so the job is neither sent again nor given up. News that comes yet is heeded."""
    missed = record.looks if record.unclear else 0
    decision = decide(
        READBACK_MISSING,
        history=replace(failure_history(record, case), looks=missed),
        policy=case.policy,
        now_ms=case.now_ms,
        chance=case.chance,
    )
    if isinstance(decision, LookUp):
        new = replace(record, looks=missed + 1, unclear=True)
        return move(record, Transition(event=Event.NO_NEWS, record=new, next_ms=decision.first_look_ms), case)
    entry = HistoryEntry(
        attempt=record.attempt,
        at_ms=case.now_ms,
        outcome=AttemptOutcome.VANISHED,
        category=READBACK_MISSING.category,
        error_type=READBACK_MISSING.error_type,
        error_code=READBACK_MISSING.error_code,
        fax_id=record.fax_id,
        why=decision.why,
    )
    held = replace(record, state=State.WAITING, looks=0, unclear=False, category=entry.category, changed_ms=case.now_ms)
    held = replace(held, error_type=entry.error_type, error_code=entry.error_code)
    step = Transition(event=Event.VANISHED, record=held, next_ms=HELD_MS, history=entry, rest_s=0.0)
    return unless_another(record, step, case)


def _unended(record: Record, case: DecisionContext) -> Transition:
    """The paper may have arrived, so the job is not sent again. An end that is told yet goes into the history."""
    why = f"the provider told no end of it within {duration_text(case.policy.unended_s)}: it may have arrived"
    entry = HistoryEntry(
        attempt=record.attempt,
        at_ms=case.now_ms,
        outcome=AttemptOutcome.UNENDED,
        category=CALLBACK_MISSING.category,
        error_type=CALLBACK_MISSING.error_type,
        fax_id=record.fax_id,
        fate=FaxFate.UNENDED,
        created_ms=record.began_ms,
        why=why,
    )
    ended = replace(record, state=State.DELIVERED_UNCONFIRMED, looks=0, unclear=False, changed_ms=case.now_ms)
    ended = replace(ended, category=entry.category, error_type=entry.error_type, error_code=0)
    step = Transition(event=Event.GIVEN_UP, record=ended, history=entry, rest_s=0.0)
    return unless_another(record, step, case)


def _read_at_ms(reads: int, case: DecisionContext) -> int:
    if case.polling:
        return poll_at_ms(reads, case.policy, case.now_ms)
    return read_at_ms(readback_delay_s(reads - 1, case.policy), case.now_ms)


def _vanished(record: Record, case: DecisionContext, *, answered: bool) -> Transition:
    rule, code = _rule_of_absence(record, case.policy)
    decision = decide_absent(
        rule,
        history=failure_history(record, case),
        policy=case.policy,
        now_ms=case.now_ms,
        chance=case.chance,
        answered=answered,
    )
    entry = HistoryEntry(
        attempt=record.attempt,
        at_ms=case.now_ms,
        outcome=AttemptOutcome.VANISHED,
        category=rule.category,
        error_type="http",
        error_code=code,
        excused=not answered,
        why=decision.why,
    )
    ended = replace(counted(record, decision), lease=0, looks=0, unclear=False, changed_ms=case.now_ms)
    ended = replace(ended, category=rule.category, error_type="http", error_code=code)
    if isinstance(decision, GiveUp):
        step = Transition(event=Event.GIVEN_UP, record=replace(ended, state=decision.state))
    else:
        step = Transition(event=Event.VANISHED, record=replace(ended, state=State.WAITING), next_ms=decision.at_ms)
    told = entry if answered or sum(one.excused for one in case.history) < _EXCUSED_KEPT else None
    return unless_another(record, replace(step, history=told, rest_s=0.0, spent=1), case)


def _rule_of_absence(record: Record, policy: Policy) -> tuple[Rule, int]:
    """The row that the answer named, with its status. Without an answer the record tells of the attempt before."""
    if not record.unclear:
        return SUBMIT_UNKNOWN, 0
    return classify("http", record.error_code, policy=policy), record.error_code
