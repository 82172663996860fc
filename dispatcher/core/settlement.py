"""What an answer, a callback, a look-up or a read-back means for a job: the new record and what goes with it.

Pure: a record and what was learned go in, a ``Step`` comes out, or None where the news changes nothing. The service
applies a step by compare-and-set on the record it was decided from, and decides anew when another one stands there.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import assert_never

from dispatcher.core.failures import SUBMIT_UNKNOWN, TRANSPORT, Category, Rule, Scope, Verdict, classify
from dispatcher.core.job import Happened, HistoryEntry, Record, State
from dispatcher.core.lifecycle import Event, check_move
from dispatcher.core.outcome import (
    Accepted,
    FaxNews,
    FaxStatus,
    NotSent,
    RateLimited,
    Refused,
    SendOutcome,
    Unclear,
)
from dispatcher.core.policy import Policy
from dispatcher.core.retry import (
    GiveUp,
    History,
    Hold,
    LookUp,
    RetryAt,
    backoff_transport,
    decide,
    decide_absent,
    next_look_ms,
    poll_delay_s,
    readback_delay_s,
)

#: how many transport failures in a row a job is taken to have had when its last attempt did not leave either
_TRANSPORT_AGAIN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """All that a decision rests on beside record and news."""

    policy: Policy
    now_ms: int
    #: in [0, 1)
    chance: float
    #: what became of earlier attempts
    history: Sequence[HistoryEntry] = ()
    #: without a public URL news comes by polling
    polling: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldWanted:
    """A hold that the failure asks for; after ``hold_after`` failures of the scope, at once when that is 1."""

    scope: Scope
    category: str
    cause: str
    hold_after: int = 1
    #: None: until someone releases it
    probe_after_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One move of a job, as data."""

    event: Event | None
    record: Record
    #: when a job that stays live is looked at next, milliseconds since 1970
    next_ms: int = 0
    history: HistoryEntry | None = None
    #: seconds the number rests now that the attempt ended; None: the attempt goes on
    rest_s: float | None = None
    #: attempts that count as made
    spent: int = 0
    hold: HoldWanted | None = None


def after_send(record: Record, outcome: SendOutcome, case: Case) -> Step | None:
    """What the answer to a POST means. ``record`` is the one that began the attempt, or what stands there by now."""
    if isinstance(outcome, Accepted):
        return after_news(record, outcome.news, case)
    if record.state is not State.SENDING:
        return None  # a callback or a look-up was faster and knew better
    match outcome:
        case Refused():
            return _refused(record, outcome, case)
        case RateLimited():
            wait_s = outcome.retry_after_s if outcome.retry_after_s is not None else case.policy.backoff_429_s[0]
            return _given_back(record, case, wait_s)
        case NotSent():
            return _not_sent(record, case)
        case Unclear():
            return _unclear(record, outcome, case)
    assert_never(outcome)


def missed_slot(record: Record, case: Case) -> Step:
    """The worker was too late for its slot and sent nothing."""
    return _given_back(record, case, 0.0)


def after_look(record: Record, found: FaxNews | None, case: Case) -> Step | None:
    """What a completed look-up of an unclear send means: it was found, is looked for again, or is written off."""
    if found is not None:
        return after_news(record, found, case)
    if record.state is not State.SENDING:
        return None
    looks = record.looks + 1
    again_ms = next_look_ms(deadline_ms=send_deadline_ms(record, case.policy), looks=looks, policy=case.policy)
    if again_ms is not None:
        return _step(record, Event.NO_NEWS, replace(record, looks=looks), next_ms=max(again_ms, case.now_ms))
    return _vanished(record, case)


def after_read(record: Record, news: FaxNews | None, case: Case) -> Step | None:
    """What reading an accepted fax back means. None as news: the provider does not list or know it (yet)."""
    if news is not None and news.status is not FaxStatus.UNFINISHED:
        return after_news(record, news, case)
    if record.state is not State.ACCEPTED:
        return None
    looks = record.looks + 1
    wait_s = poll_delay_s(looks, case.policy) if case.polling else readback_delay_s(looks - 1, case.policy)
    return _step(record, Event.NO_NEWS, replace(record, looks=looks), next_ms=case.now_ms + round(wait_s * 1000))


def after_news(record: Record, news: FaxNews, case: Case) -> Step | None:
    """What the provider says of one fax of this job, in whatever order and however often it says it.

    News of an earlier attempt counts as long as no later one is under way: a waiting or leased job adopts it. After
    that it is evidence, and if both were accepted the job was doubled.
    """
    if not 1 <= news.attempt <= record.attempt or _known(news, case.history):
        return None
    if record.state in (State.WAITING, State.LEASED):
        return _told(record, news, case)
    mine = news.attempt == record.attempt and record.fax_id in ("", news.fax_id)
    if not mine and news.fax_id != record.fax_id:
        return _evidence(record, news, case)
    if record.state in (State.SENDING, State.ACCEPTED):
        return _told(record, news, case)
    return _contradiction(record, news, case)


def send_deadline_ms(record: Record, policy: Policy) -> int:
    """The last moment at which the present attempt's request can have been under way."""
    return record.began_ms + round((policy.send_window_s + policy.post_total_s) * 1000)


def _step(
    old: Record,
    event: Event,
    new: Record,
    *,
    next_ms: int = 0,
    history: HistoryEntry | None = None,
    rest_s: float | None = None,
    spent: int = 0,
    hold: HoldWanted | None = None,
) -> Step:
    check_move(old.state, event, new.state)
    return Step(event=event, record=new, next_ms=next_ms, history=history, rest_s=rest_s, spent=spent, hold=hold)


def _told(record: Record, news: FaxNews, case: Case) -> Step | None:
    match news.status:
        case FaxStatus.UNFINISHED:
            return _taken(record, news, case)
        case FaxStatus.COMPLETED:
            return _delivered(record, news, case)
        case FaxStatus.FAILURE:
            return _failed(record, news, case)
    assert_never(news.status)


def _taken(record: Record, news: FaxNews, case: Case) -> Step | None:
    if record.state is State.ACCEPTED:
        return None
    wait_s = poll_delay_s(0, case.policy) if case.polling else case.policy.callback_overdue_s
    doubled = record.doubled or _lives_on(case.history)
    new = replace(
        record,
        state=State.ACCEPTED,
        fax_id=news.fax_id,
        lease=0,
        looks=0,
        unclear=False,
        doubled=doubled,
        changed_ms=case.now_ms,
    )
    return _step(
        record, Event.TAKEN, new, next_ms=case.now_ms + round(wait_s * 1000), spent=record.state is State.SENDING
    )


def _delivered(record: Record, news: FaxNews, case: Case) -> Step:
    doubled = record.doubled or (record.state is State.SENDING and _lives_on(case.history))
    new = replace(
        _ended(record, news, case),
        state=State.DELIVERED,
        category="",
        error_type="",
        error_code=0,
        doubled=doubled,
    )
    rest_s = case.policy.number_distance_s
    return _step(record, Event.DELIVERED, new, rest_s=rest_s, spent=record.state is State.SENDING)


def _failed(record: Record, news: FaxNews, case: Case) -> Step:
    rule = classify(news.error_type, news.error_code, message=news.message, policy=case.policy)
    decision = decide(
        rule,
        pages_sent=news.pages_sent,
        pages_total=news.pages_total,
        history=_past(record, case),
        policy=case.policy,
        now_ms=case.now_ms,
        chance=case.chance,
    )
    ended = replace(
        _ended(record, news, case),
        category=rule.category,
        error_type=news.error_type,
        error_code=news.error_code,
    )
    entry = HistoryEntry(
        attempt=news.attempt,
        at_ms=case.now_ms,
        outcome=Happened.FAILED,
        category=rule.category,
        error_type=news.error_type,
        error_code=news.error_code,
        fax_id=news.fax_id,
        pages_sent=news.pages_sent,
        pages_total=news.pages_total,
        why=_why(decision),
    )
    rest_s = case.policy.number_distance_s if rule.called else 0.0
    return _decided(record, ended, rule, decision, entry, rest_s=rest_s, spent=record.state is State.SENDING)


def _refused(record: Record, outcome: Refused, case: Case) -> Step:
    rule = classify("http", outcome.status, fields=outcome.fields, policy=case.policy)
    decision = decide(rule, history=_past(record, case), policy=case.policy, now_ms=case.now_ms, chance=case.chance)
    ended = replace(
        record,
        lease=0,
        category=rule.category,
        error_type="http",
        error_code=outcome.status,
        changed_ms=case.now_ms,
    )
    entry = HistoryEntry(
        attempt=record.attempt,
        at_ms=case.now_ms,
        outcome=Happened.REFUSED,
        category=rule.category,
        error_type="http",
        error_code=outcome.status,
        why=f"{_why(decision)} The provider said: {outcome.message}" if outcome.message else _why(decision),
    )
    return _decided(record, ended, rule, decision, entry, rest_s=0.0, spent=False)


def _decided(
    record: Record,
    ended: Record,
    rule: Rule,
    decision: RetryAt | GiveUp | Hold | LookUp,
    entry: HistoryEntry,
    *,
    rest_s: float,
    spent: bool,
) -> Step:
    """A failed or refused attempt, once it is decided what follows."""
    match decision:
        case RetryAt():
            new = replace(_counted(ended, decision), state=State.WAITING, force_fine=decision.force_fine)
            event, next_ms = Event.RETRIED, decision.at_ms
        case GiveUp():
            new, event, next_ms = replace(_counted(ended, decision), state=decision.state), Event.GIVEN_UP, 0
        case Hold() | LookUp():
            at_ms = decision.at_ms if isinstance(decision, Hold) else decision.first_look_ms
            new, event, next_ms = replace(ended, state=State.WAITING), Event.RETRIED, at_ms
        case _:
            assert_never(decision)
    hold = _hold_wanted(rule, decision)
    return _step(record, event, new, next_ms=next_ms, history=entry, rest_s=rest_s, spent=spent, hold=hold)


def _hold_wanted(rule: Rule, decision: RetryAt | GiveUp | Hold | LookUp) -> HoldWanted | None:
    if isinstance(decision, Hold):
        return HoldWanted(
            scope=decision.scope,
            category=decision.category,
            cause=decision.cause,
            probe_after_s=decision.probe_after_s,
        )
    if rule.scope is None or rule.verdict is Verdict.HOLD or not rule.hold_after:
        return None
    return HoldWanted(scope=rule.scope, category=rule.category, cause=rule.why, hold_after=rule.hold_after)


def _unclear(record: Record, outcome: Unclear, case: Case) -> Step:
    rule = classify("http", outcome.status or 0, policy=case.policy)
    first_ms = next_look_ms(deadline_ms=send_deadline_ms(record, case.policy), looks=0, policy=case.policy)
    new = replace(record, unclear=True, category=rule.category, error_type="http", error_code=outcome.status or 0)
    return _step(record, Event.UNCLEAR, new, next_ms=first_ms or case.now_ms)


def _vanished(record: Record, case: Case) -> Step:
    rule = classify("http", record.error_code, policy=case.policy) if record.unclear else SUBMIT_UNKNOWN
    decision = decide_absent(
        rule, history=_past(record, case), policy=case.policy, now_ms=case.now_ms, chance=case.chance
    )
    ended = replace(
        _counted(record, decision),
        lease=0,
        looks=0,
        unclear=False,
        category=rule.category,
        error_type="http",
        changed_ms=case.now_ms,
    )
    entry = HistoryEntry(
        attempt=record.attempt,
        at_ms=case.now_ms,
        outcome=Happened.VANISHED,
        category=rule.category,
        error_type="http",
        error_code=ended.error_code,
        why=decision.why,
    )
    if isinstance(decision, GiveUp):
        new, event, next_ms = replace(ended, state=decision.state), Event.GIVEN_UP, 0
    else:
        new, event, next_ms = replace(ended, state=State.WAITING), Event.VANISHED, decision.at_ms
    return _step(record, event, new, next_ms=next_ms, history=entry, rest_s=0.0, spent=1)


def _not_sent(record: Record, case: Case) -> Step:
    """Told apart from the first time by what the record still says of the attempt before."""
    n = _TRANSPORT_AGAIN if record.category == Category.TRANSPORT else 0
    wait_s = backoff_transport(n, case.policy, case.chance)
    step = _given_back(record, case, wait_s)
    return replace(step, record=replace(step.record, category=TRANSPORT.category, error_type="http", error_code=0))


def _given_back(record: Record, case: Case, wait_s: float) -> Step:
    new = replace(record, state=State.WAITING, lease=0, changed_ms=case.now_ms)
    return _step(record, Event.GIVEN_BACK, new, next_ms=case.now_ms + round(wait_s * 1000), rest_s=0.0)


def _evidence(record: Record, news: FaxNews, case: Case) -> Step:
    """News of another fax than the one that counts now. Two that the provider took make a doubled job."""
    both_taken = bool(record.fax_id) and news.status is not FaxStatus.FAILURE
    outcome = Happened.DOUBLED if both_taken else Happened.LATE
    new = replace(record, doubled=record.doubled or both_taken)
    return Step(event=None, record=new, next_ms=0, history=_note(news, case, outcome))


def _contradiction(record: Record, news: FaxNews, case: Case) -> Step | None:
    """Final stays final; a delivery of a job that ended otherwise is kept as evidence."""
    delivered = (State.DELIVERED, State.DELIVERED_UNCONFIRMED)
    if news.status is not FaxStatus.COMPLETED or record.state in delivered:
        return None
    return Step(event=None, record=record, history=_note(news, case, Happened.LATE))


def _note(news: FaxNews, case: Case, outcome: Happened) -> HistoryEntry:
    return HistoryEntry(
        attempt=news.attempt,
        at_ms=case.now_ms,
        outcome=outcome,
        error_type=news.error_type,
        error_code=news.error_code,
        fax_id=news.fax_id,
        pages_sent=news.pages_sent,
        pages_total=news.pages_total,
        why=f"the provider says {news.status} of attempt {news.attempt}, when the job had moved on",
    )


def _ended(record: Record, news: FaxNews, case: Case) -> Record:
    """The part of the record that every end of an attempt has in common."""
    return replace(
        record,
        fax_id=news.fax_id,
        lease=0,
        looks=0,
        unclear=False,
        pages_sent=news.pages_sent,
        pages_total=news.pages_total,
        changed_ms=case.now_ms,
    )


def _counted(record: Record, decision: RetryAt | GiveUp) -> Record:
    counts = decision.counts
    return replace(record, dials=counts.dials, tries=counts.tries, server_errors=counts.server_errors)


_SPENT = (Happened.FAILED, Happened.REFUSED, Happened.VANISHED)


def _past(record: Record, case: Case) -> History:
    spent = [entry for entry in case.history if entry.outcome in _SPENT]
    return History(
        failures=Counter(entry.category for entry in spent),
        dials=record.dials,
        tries=record.tries,
        server_errors=record.server_errors,
        best_pages=max((entry.pages_sent for entry in spent), default=0),
        already_fine=record.force_fine,
        looks=record.looks,
    )


def _known(news: FaxNews, history: Sequence[HistoryEntry]) -> bool:
    """Whether the end of this very fax has been dealt with, or it stands in evidence."""
    told = (Happened.FAILED, Happened.LATE, Happened.DOUBLED)
    return any(entry.fax_id == news.fax_id and entry.outcome in told for entry in history if entry.fax_id)


def _lives_on(history: Sequence[HistoryEntry]) -> bool:
    """Whether there is evidence of an earlier fax of the job that did not fail."""
    return any(entry.outcome is Happened.LATE and not entry.error_type for entry in history)


def _why(decision: RetryAt | GiveUp | Hold | LookUp) -> str:
    return decision.why
