"""The retry decision: what happens to a job after a failure, as a value.

Pure: time and chance come with the context. Cancelling and deadlines are the caller's: it may turn a ``RetryAt`` into
an end, never the other way round.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import assert_never

from dispatcher.core.counted import counted
from dispatcher.core.durations import duration_text
from dispatcher.core.job import FailureCounters
from dispatcher.core.policy.policy import Policy
from dispatcher.core.retry.context import DecisionContext
from dispatcher.core.retry.decision import (
    Decision,
    Ending,
    FailedAttempt,
    GiveUp,
    GiveUpReason,
    LookUp,
    OpenHold,
    RetryAt,
)
from dispatcher.core.retry.delays import due_ms
from dispatcher.core.retry.waits import backoff_429, backoff_transport, probes_s, readback_delay_s
from dispatcher.core.retry_table.rule import Category, LookupBy, Scope, Spends, Verdict

#: failures of a category after which every further send of the job is in FINE
_FINE_AFTER: Mapping[Category, int] = {
    Category.CAPABILITY: 1,
    Category.FAX_PROTOCOL: 2,
    Category.TRAINING: 2,
}

#: categories that neither spend nor end: a wait by their number in a row takes the place of a list
_BACKOFFS: Mapping[Category, Callable[[int, Policy, float], float]] = {
    Category.RATE_LIMITED: backoff_429,
    Category.TRANSPORT: backoff_transport,
}


def decide(failure: FailedAttempt, context: DecisionContext) -> Decision:
    """Decide what follows a failed fax, a refused request or an unclear send."""
    if ended := _ended_by_pages(failure, context):
        return ended
    if failure.rule.verdict_now is Verdict.UNCERTAIN:
        return _look_up(failure, context)
    return _end(failure, context)


def decide_ended(failure: FailedAttempt, context: DecisionContext) -> Ending:
    """Decide what follows an attempt that has surely ended: it is never looked up."""
    return _ended_by_pages(failure, context) or _end(failure, context)


def decide_absent(failure: FailedAttempt, context: DecisionContext, *, answered: bool = True) -> RetryAt | GiveUp:
    """Decide what follows a send with an unclear answer once it is believed not to exist.

    Args:
        failure: its rule is that of the answer.
        context: the inputs of the decision.
        answered: the provider has answered some send since. If not, it is down, and its failures are not the job's:
            they spend nothing and end nothing, however many they are.
    """
    return _retry(failure, context) if answered else _wait_for_provider(failure, context)


def _wait_for_provider(failure: FailedAttempt, context: DecisionContext) -> RetryAt:
    """The hold of the provider keeps the job waiting, and not a delay of its own."""
    delay = (failure.rule.delays_for(failure.history.proven) or (0.0,))[0]
    at_ms = due_ms(delay, policy=context.policy, now_ms=context.now_ms, chance=context.chance)
    retry = _retry_at(failure, context, at_ms)
    why = f"{retry.why}; the provider has answered no send since, so nothing is spent"
    return replace(retry, counters=failure.history.counters, why=why)


def _end(failure: FailedAttempt, context: DecisionContext) -> Ending:
    verdict = failure.rule.verdict_now
    match verdict:
        case Verdict.PERMANENT:
            why = f"{failure.label}: not tried again. {failure.rule.why}"
            return GiveUp(counters=_spent(failure), reason=GiveUpReason.PERMANENT, why=why)
        case Verdict.HOLD:
            return _hold(failure, context)
        case Verdict.RETRY | Verdict.UNCERTAIN:
            return _retry(failure, context)
    assert_never(verdict)


def _spent(failure: FailedAttempt) -> FailureCounters:
    """Raise one counter. A call that got further than any before starts the count of tries anew."""
    counters, spends = failure.history.counters, failure.rule.spends
    progress = failure.pages_sent > failure.history.best_pages
    return FailureCounters(
        dials=counters.dials + (spends is Spends.DIAL),
        tries=0 if progress else counters.tries + (spends is Spends.TRY),
        server_errors=counters.server_errors + (spends is Spends.SERVER_ERROR),
    )


def _ended_by_pages(failure: FailedAttempt, context: DecisionContext) -> GiveUp | None:
    """Stop where sending again would put pages there twice that the recipient already has.

    When its machine acknowledged all of them the fax has arrived, whatever failed afterwards.
    """
    sent, total = failure.pages_sent, failure.pages_total
    if 0 < total <= sent:
        why = f"every page arrived ({total}) although the call failed ({failure.label}): not sent again"
        return GiveUp(counters=_spent(failure), reason=GiveUpReason.PAGES_CONFIRMED, why=why)
    if failure.rule.asks_on_partial and sent > 0 and context.partial_choice == "stop":
        pages = counted(total, "page") if total else "an unknown number of pages"
        why = f"{sent} of {pages} arrived before the call failed ({failure.label}): on_partial is stop"
        return GiveUp(counters=_spent(failure), reason=GiveUpReason.PARTIAL, why=why)
    # the remaining pages alone cannot be sent yet, so "resume" sends the whole fax like "resend"
    return None


def _retry(failure: FailedAttempt, context: DecisionContext) -> RetryAt | GiveUp:
    if backoff := _BACKOFFS.get(failure.rule.category):
        wait_s = backoff(failure.failures - 1, context.policy, context.chance)
        return _retry_at(failure, context, context.after_ms(wait_s))
    if given_up := _limit_reached(failure, context.policy):
        return given_up
    delays = failure.rule.delays_for(failure.history.proven) or (0.0,)
    delay = delays[min(failure.failures, len(delays)) - 1]
    at_ms = due_ms(delay, policy=context.policy, now_ms=context.now_ms, chance=context.chance)
    return _retry_at(failure, context, at_ms)


def _limit_reached(failure: FailedAttempt, policy: Policy) -> GiveUp | None:
    """End a job that may not be tried again, or for which another attempt would change nothing."""
    counters = _spent(failure)
    if reached := _limit_of_attempts(failure, counters, policy):
        reason, why = reached
        return GiveUp(counters=counters, reason=reason, why=f"{failure.attempt}: {why}")
    if failure.rule.final_once_fine and failure.history.already_fine:
        why = f"{failure.label}: it was sent in FINE already, and nothing else can be changed. {failure.rule.why}"
        return GiveUp(counters=counters, reason=GiveUpReason.NOTHING_TO_CHANGE, why=why)
    return None


def _limit_of_attempts(
    failure: FailedAttempt, counters: FailureCounters, policy: Policy
) -> tuple[GiveUpReason, str] | None:
    dials, tries, errors = counters.dials, counters.tries, counters.server_errors
    if failure.limit and failure.failures >= failure.limit:
        return GiveUpReason.ATTEMPTS, "no attempt is left"
    if dials >= policy.max_dials:
        return GiveUpReason.DIALS, f"the job has made {counted(dials, 'call')} without an answer, which is the limit"
    if tries >= policy.max_tries:
        return GiveUpReason.TRIES, f"{counted(tries, 'answered call')} without a page more, which is the limit"
    if errors >= policy.max_server_errors:
        return GiveUpReason.SERVER_ERRORS, f"{errors} failures of the provider's servers are the limit"
    return None


def _retry_at(failure: FailedAttempt, context: DecisionContext, at_ms: int) -> RetryAt:
    """Send again at that time, but keep the minimum distance between two calls to one number."""
    called = failure.rule.called
    at_ms = max(at_ms, context.after_ms(context.policy.number_distance_s if called else 0.0))
    fine = _fine(failure)
    what = "call" if called else "send"
    when = f"in {duration_text((at_ms - context.now_ms) / 1000)}" if at_ms > context.now_ms else "at once"
    why = f"{failure.attempt}: next {what} {when}{', in FINE' if fine else ''}"
    return RetryAt(at_ms=at_ms, counters=_spent(failure), force_fine=fine, why=why)


def _fine(failure: FailedAttempt) -> bool:
    if 0 < failure.rule.fine_from <= failure.failures:
        return True
    return any(failure.history.failures.get(category, 0) >= n for category, n in _FINE_AFTER.items())


def _hold(failure: FailedAttempt, context: DecisionContext) -> OpenHold:
    rule, scope = failure.rule, failure.rule.scope or Scope.JOB
    series = probes_s(rule.category, context.policy)
    until = f"first probe in {duration_text(series[0])}" if series else "until someone releases it"
    return OpenHold(
        scope=scope,
        category=rule.category,
        cause=rule.why,
        probes_s=series,
        at_ms=context.after_ms(context.policy.hold_snooze_s),
        counters=failure.history.counters,
        why=f"{failure.label}: the {scope} is held, {until}; nothing is spent. {rule.why}",
    )


def _look_up(failure: FailedAttempt, context: DecisionContext) -> LookUp | OpenHold:
    if failure.rule.lookups is LookupBy.BY_ID:
        return _read_back(failure, context)
    start_ms = max(context.now_ms, failure.deadline_ms)
    at_ms = start_ms + round(context.policy.lookups_s[0] * 1000)
    when = duration_text((at_ms - context.now_ms) / 1000)
    why = f"{failure.label}: looked up in {when}, and sent again only if it is not there at the end"
    return LookUp(first_lookup_ms=at_ms, why=why)


def _read_back(failure: FailedAttempt, context: DecisionContext) -> LookUp | OpenHold:
    """Read the fax again, after a wait by the number of read-backs so far. A rule with a limit ends in a hold."""
    rule, lookups = failure.rule, failure.history.lookups
    if rule.max_attempts and lookups + 1 >= rule.max_attempts:
        return _hold(failure, context)
    if rule.delays:
        delay = rule.delays[min(lookups, len(rule.delays) - 1)]
        at_ms = due_ms(delay, policy=context.policy, now_ms=context.now_ms, chance=0.5)
    else:
        at_ms = context.after_ms(readback_delay_s(lookups, context.policy))
    why = f"{failure.label}: read back in {duration_text((at_ms - context.now_ms) / 1000)}"
    return LookUp(first_lookup_ms=at_ms, why=why)
