"""The retry decision: what happens to a job after a failure, as a value.

Pure: time comes as ``now_ms`` (milliseconds since 1970), chance as a number from 0 up to but not including 1.
Cancelling and deadlines are the caller's: it may turn a ``RetryAt`` into an end, never the other way round.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import assert_never

from dispatcher.core.decision import (
    AttemptCounters,
    Decision,
    Ending,
    FailureHistory,
    GiveUp,
    GiveUpReason,
    LookUp,
    OpenHold,
    RetryAt,
)
from dispatcher.core.delays import due_ms
from dispatcher.core.durations import duration_text
from dispatcher.core.explain import Explanation, explain, explain_rule
from dispatcher.core.job import State
from dispatcher.core.policy import Policy
from dispatcher.core.rule import Category, Looks, Rule, Scope, Spends, Verdict
from dispatcher.core.waits import (
    backoff_429,
    backoff_transport,
    next_look_ms,
    poll_at_ms,
    poll_delay_s,
    probes_s,
    readback_delay_s,
)

__all__ = [
    "AttemptCounters",
    "Decision",
    "Ending",
    "Explanation",
    "FailureHistory",
    "GiveUp",
    "GiveUpReason",
    "LookUp",
    "OpenHold",
    "RetryAt",
    "backoff_429",
    "backoff_transport",
    "decide",
    "decide_absent",
    "decide_ended",
    "explain",
    "explain_rule",
    "next_look_ms",
    "poll_at_ms",
    "poll_delay_s",
    "probes_s",
    "readback_delay_s",
]

#: failures of a category after which every further send of the job is in FINE
_FINE_AFTER: Mapping[Category, int] = {
    Category.CAPABILITY: 1,
    Category.FAX_PROTOCOL: 2,
    Category.TRAINING: 2,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """One failure with all that its decision rests on."""

    rule: Rule
    history: FailureHistory
    policy: Policy
    now_ms: int
    chance: float
    pages_sent: int = 0
    pages_total: int = 0
    on_partial: str = ""
    deadline_ms: int = 0

    @property
    def label(self) -> str:
        return self.rule.category.replace("_", " ")

    @property
    def failures(self) -> int:
        """Failures of the category, this one included."""
        return self.history.failures.get(self.rule.category, 0) + 1

    @property
    def limit(self) -> int:
        return self.rule.max_for(self.history.proven)

    @property
    def attempt(self) -> str:
        limit = f" of {self.limit}" if self.limit else ""
        return f"{self.label}, attempt {self.failures}{limit}"


def decide(
    rule: Rule,
    *,
    pages_sent: int = 0,
    pages_total: int = 0,
    on_partial: str = "",
    history: FailureHistory,
    policy: Policy,
    now_ms: int,
    chance: float,
    deadline_ms: int = 0,
) -> Decision:
    """What to do after a failed fax, a refused request or an unclear send.

    ``on_partial`` is the batch's own choice; empty: the policy's.
    ``deadline_ms`` is the attempt's send deadline (the last moment at which the request may have gone out);
    look-ups count from it, or from now if that is later.
    """
    case = _Case(
        rule=rule,
        history=history,
        policy=policy,
        now_ms=now_ms,
        chance=chance,
        pages_sent=pages_sent,
        pages_total=pages_total,
        on_partial=on_partial or policy.on_partial,
        deadline_ms=deadline_ms,
    )
    counts = _spent(case)
    if ended := _ended_by_pages(case, counts):
        return ended
    return _look_up(case) if rule.verdict_now is Verdict.UNCERTAIN else _end(case, counts)


def decide_ended(
    rule: Rule,
    *,
    pages_sent: int = 0,
    pages_total: int = 0,
    on_partial: str = "",
    history: FailureHistory,
    policy: Policy,
    now_ms: int,
    chance: float,
) -> Ending:
    """What to do after an attempt that has surely ended: it is never looked up. Arguments as for ``decide``."""
    case = _Case(
        rule=rule,
        history=history,
        policy=policy,
        now_ms=now_ms,
        chance=chance,
        pages_sent=pages_sent,
        pages_total=pages_total,
        on_partial=on_partial or policy.on_partial,
    )
    counts = _spent(case)
    return _ended_by_pages(case, counts) or _end(case, counts)


def decide_absent(
    rule: Rule, *, history: FailureHistory, policy: Policy, now_ms: int, chance: float, answered: bool = True
) -> RetryAt | GiveUp:
    """What to do once a send with an unclear answer is believed not to exist. ``rule`` is that of the answer.

    ``answered``: the provider has answered some send since. If not, it is down, and its failures are not the job's:
    they spend nothing and end nothing, however many they are.
    """
    case = _Case(rule=rule, history=history, policy=policy, now_ms=now_ms, chance=chance)
    return _retry(case, _spent(case)) if answered else _wait_for_provider(case)


def _wait_for_provider(case: _Case) -> RetryAt:
    """What keeps the job waiting is the hold of the provider, and not a delay of its own."""
    history = case.history
    delay = (case.rule.delays_for(history.proven) or (0.0,))[0]
    at_ms = due_ms(delay, policy=case.policy, now_ms=case.now_ms, chance=case.chance)
    counts = AttemptCounters(dials=history.dials, tries=history.tries, server_errors=history.server_errors)
    retry = _retry_at(case, counts, at_ms)
    return replace(retry, why=f"{retry.why}; the provider has answered no send since, so nothing is spent")


def _end(case: _Case, counts: AttemptCounters) -> Ending:
    rule, verdict = case.rule, case.rule.verdict_now
    match verdict:
        case Verdict.PERMANENT:
            return _failed(counts, GiveUpReason.PERMANENT, f"{case.label}: not tried again. {rule.why}")
        case Verdict.HOLD:
            return _hold(case)
        case Verdict.RETRY | Verdict.UNCERTAIN:
            return _retry(case, counts)
    assert_never(verdict)


#: categories that neither spend nor end: a wait by their number in a row takes the place of a list
_BACKOFFS: Mapping[Category, Callable[[int, Policy, float], float]] = {
    Category.RATE_LIMITED: backoff_429,
    Category.TRANSPORT: backoff_transport,
}


def _spent(case: _Case) -> AttemptCounters:
    """One counter rises. A call that got further than any before starts the count of tries anew."""
    history, spends = case.history, case.rule.spends
    progress = case.pages_sent > history.best_pages
    return AttemptCounters(
        dials=history.dials + (spends is Spends.DIAL),
        tries=0 if progress else history.tries + (spends is Spends.TRY),
        server_errors=history.server_errors + (spends is Spends.SERVER_ERROR),
    )


def _ended_by_pages(case: _Case, counts: AttemptCounters) -> GiveUp | None:
    """The far side holds pages: stop where sending again would put the same paper there twice.

    When it acknowledged all of them the fax has arrived, whatever failed afterwards.
    """
    if 0 < case.pages_total <= case.pages_sent:
        why = f"all {case.pages_total} pages arrived although the call failed ({case.label}): not sent again"
        return _unconfirmed(counts, GiveUpReason.PAGES_CONFIRMED, why)
    if case.rule.partial and case.pages_sent > 0 and case.on_partial == "stop":
        total = case.pages_total or "an unknown number of"
        why = f"{case.pages_sent} of {total} pages arrived before the call failed ({case.label}): on_partial is stop"
        return _unconfirmed(counts, GiveUpReason.PARTIAL, why)
    # the remaining pages alone cannot be sent yet, so "resume" sends the whole fax like "resend"
    return None


def _unconfirmed(counts: AttemptCounters, reason: GiveUpReason, why: str) -> GiveUp:
    return GiveUp(state=State.DELIVERED_UNCONFIRMED, counters=counts, reason=reason, why=why)


def _failed(counts: AttemptCounters, reason: GiveUpReason, why: str) -> GiveUp:
    return GiveUp(state=State.FAILED, counters=counts, reason=reason, why=why)


def _retry(case: _Case, counts: AttemptCounters) -> RetryAt | GiveUp:
    if backoff := _BACKOFFS.get(case.rule.category):
        wait_s = backoff(case.failures - 1, case.policy, case.chance)
        return _retry_at(case, counts, case.now_ms + round(wait_s * 1000))
    if reached := _limit_reached(case, counts):
        reason, why = reached
        return _failed(counts, reason, f"{case.attempt}: {why}")
    if case.rule.needs_change and case.history.already_fine:
        why = f"{case.label}: it was sent in FINE already, and nothing else can be changed. {case.rule.why}"
        return _failed(counts, GiveUpReason.NOTHING_TO_CHANGE, why)
    delays = case.rule.delays_for(case.history.proven) or (0.0,)
    delay = delays[min(case.failures, len(delays)) - 1]
    at_ms = due_ms(delay, policy=case.policy, now_ms=case.now_ms, chance=case.chance)
    return _retry_at(case, counts, at_ms)


def _limit_reached(case: _Case, counts: AttemptCounters) -> tuple[GiveUpReason, str] | None:
    policy = case.policy
    if case.limit and case.failures >= case.limit:
        return GiveUpReason.ATTEMPTS, "no attempt is left"
    if counts.dials >= policy.max_dials:
        return GiveUpReason.DIALS, f"the job has made {counts.dials} calls without an answer, which is the limit"
    if counts.tries >= policy.max_tries:
        return GiveUpReason.TRIES, f"{counts.tries} answered calls without a page more are the limit"
    if counts.server_errors >= policy.max_server_errors:
        return GiveUpReason.SERVER_ERRORS, f"{counts.server_errors} failures of the provider's servers are the limit"
    return None


def _retry_at(case: _Case, counts: AttemptCounters, at_ms: int) -> RetryAt:
    """Holds the least distance between two calls to one number."""
    distance_s = case.policy.number_distance_s if case.rule.called else 0.0
    at_ms = max(at_ms, case.now_ms + round(distance_s * 1000))
    fine = _fine(case)
    what = "call" if case.rule.called else "send"
    when = f"in {duration_text((at_ms - case.now_ms) / 1000)}" if at_ms > case.now_ms else "at once"
    why = f"{case.attempt}: next {what} {when}{', in FINE' if fine else ''}"
    return RetryAt(at_ms=at_ms, counters=counts, force_fine=fine, why=why)


def _fine(case: _Case) -> bool:
    if 0 < case.rule.fine_from <= case.failures:
        return True
    return any(case.history.failures.get(category, 0) >= n for category, n in _FINE_AFTER.items())


def _hold(case: _Case) -> OpenHold:
    rule, scope = case.rule, case.rule.scope or Scope.JOB
    series = probes_s(rule.category, case.policy)
    until = f"first probe in {duration_text(series[0])}" if series else "until someone releases it"
    return OpenHold(
        scope=scope,
        category=rule.category,
        cause=rule.why,
        probes_s=series,
        at_ms=case.now_ms + round(case.policy.hold_snooze_s * 1000),
        why=f"{case.label}: the {scope} is held, {until}; nothing is spent. {rule.why}",
    )


def _look_up(case: _Case) -> LookUp | OpenHold:
    if case.rule.looks is Looks.BY_ID:
        return _read_back(case)
    start_ms = max(case.now_ms, case.deadline_ms)
    at_ms = start_ms + round(case.policy.looks_s[0] * 1000)
    when = duration_text((at_ms - case.now_ms) / 1000)
    why = f"{case.label}: looked up in {when}, and sent again only if it is not there at the end"
    return LookUp(first_look_ms=at_ms, why=why)


def _read_back(case: _Case) -> LookUp | OpenHold:
    """By the number of read-backs so far; a rule with a limit ends in a person's hands."""
    rule, looks = case.rule, case.history.looks
    if rule.max_attempts and looks + 1 >= rule.max_attempts:
        return _hold(case)
    if rule.delays:
        delay = rule.delays[min(looks, len(rule.delays) - 1)]
        at_ms = due_ms(delay, policy=case.policy, now_ms=case.now_ms, chance=0.5)
    else:
        at_ms = case.now_ms + round(readback_delay_s(looks, case.policy) * 1000)
    why = f"{case.label}: read back in {duration_text((at_ms - case.now_ms) / 1000)}"
    return LookUp(first_look_ms=at_ms, why=why)
