"""What a failure means: its row of the retry table, with the changes that the policy makes."""

from dataclasses import replace

from dispatcher.core.policy import Policy
from dispatcher.core.retry_table import RULES
from dispatcher.core.retry_table.lookup import row_of
from dispatcher.core.retry_table.requests import (
    CALLBACK_MISSING,
    FIELD_RULES,
    INTERNAL,
    READBACK_MISSING,
    SUBMIT_UNKNOWN,
    TRANSPORT,
)
from dispatcher.core.rule import (
    CATEGORIES,
    ERROR_TYPES,
    Category,
    Fallback,
    Named,
    Remedy,
    Rule,
    Scope,
    Spends,
    Verdict,
)

__all__ = [
    "CALLBACK_MISSING",
    "CATEGORIES",
    "ERROR_TYPES",
    "FIELD_RULES",
    "INTERNAL",
    "READBACK_MISSING",
    "RULES",
    "SUBMIT_UNKNOWN",
    "TRANSPORT",
    "Category",
    "Fallback",
    "Named",
    "Remedy",
    "Rule",
    "Scope",
    "Spends",
    "Verdict",
    "classify",
    "classify_fax",
]


def classify(
    error_type: str,
    error_code: int,
    *,
    message: str = "",
    fields: tuple[str, ...] = (),
    policy: Policy,
) -> Rule:
    """The rule for a failure. Any type and code is a normal input; what is not documented has a default.

    Under type ``http`` the code is the status, or 0 for a send without an answer, and ``fields`` are the names
    in a 422's ``fieldViolations``. ``message`` counts only for types without published codes.
    """
    rule = _by_field(fields) if (error_type, error_code) == ("http", 422) else None
    rule = rule or policy.rules.get((error_type, error_code)) or row_of(error_type, error_code, message)
    return _with_runs(rule, policy)


def classify_fax(error_type: str, error_code: int, *, message: str = "", policy: Policy) -> Rule:
    """The same for a fax that failed. The rows of ``http`` are for answers to our own requests: a fax that names that
    type has one that nobody knows."""
    return classify(fax_error_type(error_type), error_code, message=message, policy=policy)


def fax_error_type(told: str) -> str:
    """The type of a fax's failure as it is kept."""
    return "other" if told == "http" else told


def _with_runs(rule: Rule, policy: Policy) -> Rule:
    """How many in a row hold something is the policy's."""
    wider = replace(rule.wider, hold_after=policy.forbidden_countries) if rule.wider else None
    if rule.scope is Scope.BATCH and rule.hold_after > 1:
        run = policy.number_run if rule.category is Category.BAD_NUMBER else policy.reject_run
        return replace(rule, hold_after=run, wider=wider)
    return replace(rule, wider=wider) if wider else rule


def _by_field(fields: tuple[str, ...]) -> Rule | None:
    """Names may point into lists or objects: ``to[0]``, ``files.0.file``."""
    roots = {name.split("[")[0].split(".")[0].lower() for name in fields}
    return next((rule for name, rule in FIELD_RULES.items() if name.lower() in roots), None)
