"""Finds the row of any failure, documented or not."""

import re
from dataclasses import replace

from dispatcher.core.retry_table import faxes, requests
from dispatcher.core.retry_table.rows import OPEN_CODES, OPEN_TYPES, PROVIDER_ERROR, RULES, UNKNOWN
from dispatcher.core.retry_table.rule import ERROR_TYPES, OTHER, TYPES_WITHOUT_PAGES, Rule, Scope, Spends

_MONEY = re.compile(r"\b(funds?|balance|credits?|payment|billing)\b", re.IGNORECASE)
_TEST = re.compile(r"\bsimulat", re.IGNORECASE)


def row_of(error_type: str, error_code: int, message: str = "") -> Rule:
    """Return the documented row of the pair, else the default of its type, else the row for unknown failures.

    ``message`` counts only for types that have no published codes.
    """
    row = RULES.get((error_type, error_code))
    if row is not None:
        return row
    kind = error_type if error_type in ERROR_TYPES[1:] else OTHER
    partial = kind not in TYPES_WITHOUT_PAGES
    return replace(_default(kind, error_code, message), error_type=kind, error_code=error_code, asks_on_partial=partial)


def _default(kind: str, code: int, message: str) -> Rule:
    if kind in OPEN_TYPES:
        return OPEN_CODES.get((kind, code)) or _by_message(message)
    match kind:
        case "http":
            return _by_status(code)
        case "DOCUMENT_CONVERSION_ERROR":
            return replace(UNKNOWN, spends=Spends.NOTHING)
        case "FAX_ERROR":
            return replace(UNKNOWN, spends=Spends.TRY)
    return UNKNOWN


def _by_message(message: str) -> Rule:
    if _MONEY.search(message):
        return faxes.FUNDS
    return faxes.SIMULATED if _TEST.search(message) else PROVIDER_ERROR


def _by_status(status: int) -> Rule:
    """Return the row of an undocumented status. Only a 4xx says that nothing was accepted.

    A run of an unknown 4xx has a cause that the jobs of a batch share, such as a proxy that blocks its requests.
    """
    if 400 <= status < 500:
        why = f"The provider answered {status}, which it does not document, so it is retried a little; a run of it is "
        return replace(
            UNKNOWN, spends=Spends.NOTHING, scope=Scope.BATCH, hold_after=5, why=f"{why}no fault of one job."
        )
    return requests.SERVER_ERROR if 500 <= status < 600 else requests.SUBMIT_UNKNOWN
