"""What the provider says of one fax of a job, in whatever order and however often it says it."""

from dataclasses import replace
from typing import assert_never

from dispatcher.core.failures import Rule, classify_fax, fax_error_type
from dispatcher.core.holding import FOUND, disproved_by_fax
from dispatcher.core.job import REVISION_MODULUS, AttemptOutcome, FaxFate, HistoryEntry, Record, State
from dispatcher.core.lifecycle import Event
from dispatcher.core.outcome import FaxStatus, FaxUpdate
from dispatcher.core.retry import Ending, GiveUp, decide_ended
from dispatcher.core.settlement.failure import DecidedFailure, after_failure, counted, failure_history, spent_by
from dispatcher.core.settlement.known_faxes import known_faxes
from dispatcher.core.settlement.lost_writes import is_accepted_twice, lost_write, raised, twice_entry
from dispatcher.core.settlement.transition import DecisionContext, Transition, move, overdue_ms

#: of faxes whose end was not told yet
_OPEN = (FaxFate.UNFINISHED, FaxFate.UNENDED)


def after_update(record: Record, news: FaxUpdate, case: DecisionContext) -> Transition | None:
    """What news of a fax means.

    News of an earlier attempt counts as long as no later one is under way: a waiting or leased job adopts it. After
    that it is evidence: it is heeded when the attempt that is under way ends, and if the provider had both at a
    time, the job was doubled. An attempt above the record's was begun by a write that the store has lost.
    """
    if news.attempt < 1:
        return None
    faxes = known_faxes(record, case.history)
    known = faxes.get(news.fax_id)
    if known and (known.fate not in _OPEN or news.status is FaxStatus.UNFINISHED):
        return None
    step = _settled(raised(record, news), news, case)
    twice = is_accepted_twice(faxes, news)
    if twice:
        entry = step.history or _late_entry(record, news, case)
        step = replace(step, accepted_twice=True, history=twice_entry(entry))
    uncounted = int(news.attempt > record.attempt)
    return replace(step, lost=lost_write(record, news, twice=twice), spent=step.spent + uncounted)


def _settled(record: Record, news: FaxUpdate, case: DecisionContext) -> Transition:
    if not _decides(record, news):
        return _evidence(record, news, case)
    step = _decided(record, news, case)
    # a probe is known by its attempt; this fax is that of an earlier one
    return step if news.attempt == record.attempt else replace(step, disproves=frozenset())


def _decided(record: Record, news: FaxUpdate, case: DecisionContext) -> Transition:
    match news.status:
        case FaxStatus.UNFINISHED:
            return _taken(record, news, case)
        case FaxStatus.COMPLETED:
            return _delivered(record, news, case)
        case FaxStatus.FAILURE:
            return _failed(record, news, case)
    assert_never(news.status)


def _decides(record: Record, news: FaxUpdate) -> bool:
    """Whether the job's state depends on this fax now."""
    match record.state:
        case State.WAITING | State.LEASED:
            return True
        case State.SENDING:
            return news.attempt == record.attempt
        case State.ACCEPTED:
            return news.fax_id == record.fax_id
    return False


def _taken(record: Record, news: FaxUpdate, case: DecisionContext) -> Transition:
    new = replace(_with_fax(record, news, case), state=State.ACCEPTED)
    spent = spent_by(record)
    step = Transition(event=Event.ACCEPTED, record=new, next_ms=overdue_ms(case), spent=spent, disproves=FOUND)
    return move(record, step, case)


def _delivered(record: Record, news: FaxUpdate, case: DecisionContext) -> Transition:
    new = replace(_with_fax(record, news, case), state=State.DELIVERED, category="", error_type="", error_code=0)
    step = Transition(event=Event.DELIVERED, record=new, rest_s=case.policy.number_distance_s, spent=spent_by(record))
    return move(record, replace(step, disproves=disproved_by_fax()), case)


def _failed(record: Record, news: FaxUpdate, case: DecisionContext) -> Transition:
    rule, decision = _judged(record, news, case)
    failure = DecidedFailure(
        rule=rule,
        decision=decision,
        entry=_entry(news, AttemptOutcome.FAILED, rule, decision, case),
        rest_s=case.policy.number_distance_s if rule.called else 0.0,
        spent=spent_by(record),
    )
    step = after_failure(record, _with_fax(record, news, case), failure, case)
    return replace(step, disproves=disproved_by_fax(rule.category, called=rule.called))


def _evidence(record: Record, news: FaxUpdate, case: DecisionContext) -> Transition:
    """The job stays as it is; its counters and its record of doubled faxes follow what is known."""
    entry = _late_entry(record, news, case)
    new = replace(record, history_revision=(record.history_revision + 1) % REVISION_MODULUS)
    if news.status is FaxStatus.FAILURE:
        new = counted(new, _judged(record, news, case)[1])
    step = move(record, Transition(event=None, record=new, history=entry), case)
    if not step.record.doubled or record.doubled:
        return step
    return replace(step, history=replace(entry, outcome=AttemptOutcome.DOUBLED))


def _judged(record: Record, news: FaxUpdate, case: DecisionContext) -> tuple[Rule, Ending]:
    rule = classify_fax(news.error_type, news.error_code, message=news.message, policy=case.policy)
    decision = decide_ended(
        rule,
        pages_sent=news.pages_sent,
        pages_total=news.pages_total,
        on_partial=case.on_partial,
        history=failure_history(record, case),
        policy=case.policy,
        now_ms=case.now_ms,
        chance=case.chance,
    )
    return rule, decision


def _late_entry(record: Record, news: FaxUpdate, case: DecisionContext) -> HistoryEntry:
    why = f"the provider says {news.status} of attempt {news.attempt}, when the job was {record.state.label} by another"
    if news.status is FaxStatus.FAILURE:
        rule, decision = _judged(record, news, case)
        return replace(_entry(news, AttemptOutcome.LATE, rule, decision, case), why=why)
    fate = FaxFate.DELIVERED if news.status is FaxStatus.COMPLETED else FaxFate.UNFINISHED
    return replace(_bare_entry(news, AttemptOutcome.LATE, case), fate=fate, why=why)


def _entry(
    news: FaxUpdate, outcome: AttemptOutcome, rule: Rule, decision: Ending, case: DecisionContext
) -> HistoryEntry:
    unconfirmed = isinstance(decision, GiveUp) and decision.state is State.DELIVERED_UNCONFIRMED
    return replace(
        _bare_entry(news, outcome, case),
        fate=FaxFate.UNCONFIRMED if unconfirmed else FaxFate.FAILED,
        category=rule.category,
        error_type=fax_error_type(news.error_type),
        error_code=news.error_code,
        why=decision.why,
    )


def _bare_entry(news: FaxUpdate, outcome: AttemptOutcome, case: DecisionContext) -> HistoryEntry:
    return HistoryEntry(
        attempt=news.attempt,
        at_ms=case.now_ms,
        outcome=outcome,
        fax_id=news.fax_id,
        created_ms=news.created_ms,
        ended_ms=news.ended_ms,
        pages_sent=news.pages_sent,
        pages_total=news.pages_total,
    )


def _with_fax(record: Record, news: FaxUpdate, case: DecisionContext) -> Record:
    """The part of the record that follows from any news of the fax that decides."""
    return replace(
        record,
        fax_id=news.fax_id,
        lease=0,
        looks=0,
        unclear=False,
        pages_sent=news.pages_sent,
        pages_total=news.pages_total,
        began_ms=news.created_ms or record.began_ms,
        changed_ms=case.now_ms,
    )
