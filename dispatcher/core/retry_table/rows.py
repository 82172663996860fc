"""The retry table as data: every documented (error type, error code), the HTTP outcomes, and the defaults.

The pair is the key: code 133 is a document fault under one type and a barred country under another.
``docs/retry.md`` shows the table and says where its numbers come from.
"""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from dispatcher.core.retry_table import calls, documents, faxes, requests
from dispatcher.core.retry_table.rule import Category, Rule, Spends, Verdict

_M = 60.0
_H = 3600.0

_ROWS = (*documents.ROWS, *calls.ROWS, *faxes.ROWS, *requests.ROWS)

RULES: Mapping[tuple[str, int], Rule] = MappingProxyType({(row.error_type, row.error_code): row for row in _ROWS})

#: any pair that is not documented
UNKNOWN = Rule(
    error_type="other",
    error_code=0,
    category=Category.UNKNOWN,
    verdict=Verdict.RETRY,
    # a call may have been made
    spends=Spends.DIAL,
    delays=(10 * _M, 1 * _H),
    max_attempts=3,
    alert=True,
    why="The provider named an error that is not documented, so it is retried a little and shown to someone.",
)

#: types that exist without a published table of codes
OPEN_TYPES = ("FATAL_ERROR", "GENERAL_ERROR", "LINE_ERROR")
PROVIDER_ERROR = replace(
    UNKNOWN,
    category=Category.PROVIDER_ERROR,
    delays=(2 * _M, 10 * _M, 1 * _H),
    max_attempts=4,
    alert=False,
    why="The provider failed in a way that its documents do not explain.",
)
#: codes of these types that meant money or a test in the product that the Fax API grew out of. LINE_ERROR has
#: a range of its own, in which 105 is a fault of the line.
OPEN_CODES: Mapping[tuple[str, int], Rule] = MappingProxyType(
    {(kind, code): faxes.FUNDS for kind in ("FATAL_ERROR", "GENERAL_ERROR") for code in (5, 46, 86, 105, 125)}
    | {
        ("FATAL_ERROR", 126): faxes.SIMULATED,
        ("GENERAL_ERROR", 120): faxes.SIMULATED,
        ("LINE_ERROR", 121): faxes.SIMULATED,
    }
)
