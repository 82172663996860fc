"""Explains what happens after a failure: the content of ``bulkfax policy explain TYPE CODE``."""

from dataclasses import dataclass

from dispatcher.core.policy.policy import Policy
from dispatcher.core.retry.classify import classify
from dispatcher.core.retry.delays import delay_text
from dispatcher.core.retry_table.rows import RULES
from dispatcher.core.retry_table.rule import TYPES_WITHOUT_PAGES, Delay, Fallback, Remedy, Rule

_FALLBACKS = {
    Fallback.NONE: "",
    Fallback.UNCHANGED: "the delays and the verdict hold without it",
    Fallback.PERMANENT: "the job fails, since a repeat would bring the same",
    Fallback.FORCE_FINE: "one retry in FINE, then the job fails",
}
_ON_PARTIAL = {
    "stop": "a partly sent fax ends as delivered_unconfirmed",
    "resend": "a partly sent fax is sent again whole",
    "resume": "a partly sent fax is sent again whole, since the remaining pages alone cannot be sent yet",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """One row of the retry table for people. Delays are in words, as the policy has them."""

    error_type: str
    error_code: int
    category: str
    #: the verdict today; differs from the table's where a remedy is missing
    verdict: str
    table_verdict: str
    spends: str
    delays: tuple[str, ...]
    #: 0: no limit of its own
    max_attempts: int
    #: for numbers without a remembered success, which today are all; empty and 0: the same
    unproven_delays: tuple[str, ...]
    unproven_max: int
    #: empty: nothing is held
    scope: str
    hold_after: int
    #: ``on_partial`` decides when some pages arrived
    partial: bool
    #: what happens when pages arrived before the call failed; empty: no call is made
    pages: str
    remedies: tuple[Remedy, ...]
    #: what happens instead of the remedies that are not available
    fallback: str
    alert: bool
    #: the pair is in the table, not only covered by a default
    documented: bool
    #: the policy changed the row
    changed: bool
    why: str


def explain(error_type: str, error_code: int, policy: Policy) -> Explanation:
    """Explain any pair; under ``http`` the code is the status."""
    return explain_rule(classify(error_type, error_code, policy=policy), policy)


def explain_rule(rule: Rule, policy: Policy) -> Explanation:
    """Explain a rule, also one that has no key of its own."""
    key = (rule.error_type, rule.error_code)
    return Explanation(
        error_type=rule.error_type,
        error_code=rule.error_code,
        category=rule.category.value,
        verdict=rule.verdict_now.value,
        table_verdict=rule.verdict.value,
        spends=rule.spends.value,
        delays=_texts(rule, rule.delays, policy),
        max_attempts=rule.max_attempts,
        unproven_delays=_texts(rule, rule.unproven_delays, policy),
        unproven_max=rule.unproven_max,
        scope=rule.scope.value if rule.scope else "",
        hold_after=rule.hold_after,
        partial=rule.asks_on_partial,
        pages=_pages(rule, policy),
        remedies=rule.remedies,
        fallback=_fallback(rule, policy),
        alert=rule.alert,
        documented=key in RULES,
        changed=key in policy.rules,
        why=rule.why,
    )


def _texts(rule: Rule, delays: tuple[Delay, ...], policy: Policy) -> tuple[str, ...]:
    """After a call, no delay is shorter than the distance between two calls to one number."""
    min_s = policy.number_distance_s if rule.called else 0.0
    return tuple(delay_text(delay, policy, min_s) for delay in delays)


def _pages(rule: Rule, policy: Policy) -> str:
    if rule.error_type in TYPES_WITHOUT_PAGES:
        return ""
    some = f"; {_ON_PARTIAL[policy.on_partial]}, unless the batch chooses otherwise" if rule.asks_on_partial else ""
    return f"a fax whose pages all arrived ends as delivered_unconfirmed{some}"


def _fallback(rule: Rule, policy: Policy) -> str:
    if rule.fallback is Fallback.ON_PARTIAL:
        return _ON_PARTIAL[policy.on_partial]
    return _FALLBACKS[rule.fallback]
