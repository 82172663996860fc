"""The possible ends of jobs and kinds of holds by the retry table, each with its categories.

Metrics are shown at 0 for all of these, so that the first job of a kind counts. A policy can change a row, so other
pairs may still come up.
"""

from collections.abc import Iterable

from dispatcher.core.job import State
from dispatcher.core.limits.holds import PROVIDER
from dispatcher.core.retry_table.requests import (
    CALLBACK_MISSING,
    FIELD_RULES,
    INTERNAL,
    READBACK_MISSING,
    SUBMIT_UNKNOWN,
    TRANSPORT,
)
from dispatcher.core.retry_table.rows import OPEN_CODES, PROVIDER_ERROR, RULES, UNKNOWN
from dispatcher.core.retry_table.rule import HTTP, Category, Rule, Scope, Verdict

_DEFAULTS = (UNKNOWN, PROVIDER_ERROR, INTERNAL, READBACK_MISSING, SUBMIT_UNKNOWN, TRANSPORT, CALLBACK_MISSING)

#: holds that no row of the table opens: too many failed or unclear sends, lists that cannot be read, lost
#: writes, and dead numbers
_OTHER_HOLDS = (
    (PROVIDER, Category.PROVIDER_UNAVAILABLE),
    (PROVIDER, Category.SUBMIT_UNKNOWN),
    (Scope.ACCOUNT, Category.RECORD_ROLLED_BACK),
    (Scope.BATCH, Category.BAD_NUMBERS),
)


def all_rules() -> tuple[Rule, ...]:
    """Return every row of the retry table, including those of outcomes without a key."""
    return (*RULES.values(), *FIELD_RULES.values(), *OPEN_CODES.values(), *_DEFAULTS)


def final_pairs() -> frozenset[tuple[State, str]]:
    """Return the final states with the category of the job's last failure; it is empty if there was none."""
    rules = all_rules()
    failed = _categories(rule for rule in rules if rule.verdict_now is not Verdict.HOLD)
    # whatever a fax failed with, it ends as unconfirmed if the provider says that all its pages arrived
    unconfirmed = _categories(rule for rule in rules if rule.error_type != HTTP)
    waits = _categories(rule for rule in rules if rule.verdict_now is not Verdict.PERMANENT)
    return frozenset(
        {
            (State.DELIVERED, ""),
            *((State.FAILED, category) for category in failed),
            *((State.DELIVERED_UNCONFIRMED, category) for category in {*unconfirmed, Category.CALLBACK_MISSING}),
            *((state, category) for state in (State.CANCELLED, State.EXPIRED) for category in {"", *waits}),
            (State.CANCELLED, Category.SUPPRESSED),
        }
    )


def hold_pairs() -> frozenset[tuple[str, str]]:
    """Return the kinds of scopes with the categories for which they may be held."""
    rules = all_rules()
    rules = (*rules, *(rule.wider for rule in rules if rule.wider))
    held = ((rule.scope or Scope.JOB, rule.category) for rule in rules if rule.hold_after or rule.scope)
    return frozenset((str(scope), str(category)) for scope, category in (*held, *_OTHER_HOLDS))


def _categories(rules: Iterable[Rule]) -> frozenset[str]:
    return frozenset(str(rule.category) for rule in rules)
