"""Classifies a failure: finds its row of the retry table, with the changes that the policy makes."""

from dataclasses import replace

from dispatcher.core.policy.policy import Policy
from dispatcher.core.retry_table.lookup import row_of
from dispatcher.core.retry_table.requests import FIELD_RULES
from dispatcher.core.retry_table.rule import HTTP, OTHER, Category, Rule, Scope


def classify(
    error_type: str,
    error_code: int,
    *,
    message: str = "",
    fields: tuple[str, ...] = (),
    policy: Policy,
) -> Rule:
    """Return the rule for a failure. Any type and code is a normal input; undocumented ones have a default.

    Args:
        error_type: the provider's type, or ``http`` for an answer to a request.
        error_code: the provider's code. Under ``http`` it is the status, or 0 for a send without an answer.
        message: counts only for types without published codes.
        fields: names in a 422's ``fieldViolations``.
        policy: may change the row.
    """
    rule = _by_field(fields) if (error_type, error_code) == (HTTP, 422) else None
    rule = rule or policy.rules.get((error_type, error_code)) or row_of(error_type, error_code, message)
    return _with_policy_thresholds(rule, policy)


def classify_fax(error_type: str, error_code: int, *, message: str = "", policy: Policy) -> Rule:
    """Return the rule for a fax that failed.

    The rows of ``http`` are for answers to requests. If a fax's failure has that type, it is treated as ``other``.
    """
    return classify(fax_error_type(error_type), error_code, message=message, policy=policy)


def fax_error_type(error_type: str) -> str:
    """Return the type under which a fax's failure is kept."""
    return OTHER if error_type == HTTP else error_type


def _with_policy_thresholds(rule: Rule, policy: Policy) -> Rule:
    """Take from the policy how many failures in a row open a hold."""
    wider = replace(rule.wider, hold_after=policy.forbidden_countries) if rule.wider else None
    if rule.scope is Scope.BATCH and rule.hold_after > 1:
        run = policy.number_run if rule.category is Category.BAD_NUMBER else policy.reject_run
        return replace(rule, hold_after=run, wider=wider)
    return replace(rule, wider=wider) if wider else rule


def _by_field(fields: tuple[str, ...]) -> Rule | None:
    """Return the rule of a violated field. Names may point into lists or objects: ``to[0]``, ``files.0.file``."""
    roots = {name.split("[")[0].split(".")[0].lower() for name in fields}
    return next((rule for name, rule in FIELD_RULES.items() if name.lower() in roots), None)
