"""The provider's answers to requests of bulkfax, and what can happen to requests on the way.

All have the type ``http``; the code is the HTTP status, or 0 if a send got no answer. The rules after ``ROWS`` are for
outcomes that have no such key.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from types import MappingProxyType

from dispatcher.core.retry_table import calls, documents, remedies
from dispatcher.core.retry_table.rule import Category, Fallback, LookupBy, Rule, Scope, Spends, Verdict

_M = 60.0

_row = partial(Rule, error_type="http", spends=Spends.NOTHING)
_refused = partial(_row, verdict=Verdict.PERMANENT, max_attempts=1)
_held = partial(_row, verdict=Verdict.HOLD, hold_after=1)
_unclear = partial(_row, verdict=Verdict.UNCERTAIN, spends=Spends.SERVER_ERROR)

MOVED = _held(
    error_code=301,
    category=Category.CONFIG,
    scope=Scope.ACCOUNT,
    alert=True,
    why="The provider's API has moved to another address, so no request arrives until the base URL is set to it.",
)
SUBMIT_UNKNOWN = _unclear(
    error_code=0,
    category=Category.SUBMIT_UNKNOWN,
    delays=(0.0,),
    remedies=(remedies.PROVIDER_BREAKER,),
    why="The send got no answer but may have arrived, so it is looked up and repeated only if it is not there.",
)
INVALID_REQUEST = _refused(
    error_code=400,
    category=Category.INVALID_REQUEST,
    scope=Scope.BATCH,
    hold_after=5,
    why="The provider refused the request's form; a run of these means that the batch's own template is wrong.",
)
AUTH = _held(
    error_code=401,
    category=Category.AUTH,
    scope=Scope.ACCOUNT,
    remedies=(remedies.REFRESH_TOKEN,),
    alert=True,
    why="The credentials are not accepted, so every other job would be refused too.",
)
NO_FUNDS = _held(
    error_code=402,
    category=Category.FUNDS,
    scope=Scope.ACCOUNT,
    alert=True,
    why="The balance is used up; only a real send shows that it has been filled again.",
)
#: 403 for several countries at a time
NO_ACCESS = _held(
    error_code=403,
    category=Category.CONFIG,
    scope=Scope.ACCOUNT,
    hold_after=3,
    alert=True,
    why="Several countries were refused with 403 at a time: the key has no access to the project or to the Fax API.",
)
FORBIDDEN = _held(
    error_code=403,
    category=Category.NOT_PERMITTED,
    scope=Scope.COUNTRY,
    wider=NO_ACCESS,
    why="The account may not send to this country; someone has to change its permissions.",
)
CONFIG = _held(
    error_code=404,
    category=Category.CONFIG,
    scope=Scope.BATCH,
    why="The project, service or cover page that the batch names does not exist.",
)
TOO_LARGE = _refused(
    error_code=413,
    category=Category.DOCUMENT_TOO_LARGE,
    scope=Scope.DOCUMENT,
    why="The document is larger than the provider takes.",
    hold_after=1,
)
UNSUPPORTED = _refused(
    error_code=415,
    category=Category.DOCUMENT_UNSUPPORTED,
    scope=Scope.DOCUMENT,
    hold_after=1,
    why="The provider does not take this type of document.",
)
RATE_LIMITED = _row(
    error_code=429,
    category=Category.RATE_LIMITED,
    verdict=Verdict.RETRY,
    why="The account's rate is used up, which says nothing about the job; the shared rate is lowered.",
)
SERVER_ERROR = _unclear(
    error_code=500,
    category=Category.PROVIDER_ERROR,
    delays=(5.0, 30.0, 2 * _M, 10 * _M, 30 * _M),
    max_attempts=6,
    remedies=(remedies.PROVIDER_BREAKER,),
    why="The provider failed, perhaps after it had accepted the fax.",
)
UNAVAILABLE = replace(
    SERVER_ERROR,
    error_code=502,
    category=Category.PROVIDER_UNAVAILABLE,
    why="A gateway of the provider gave up; the fax is seldom accepted then, but it can be.",
)
CALLBACK_UNREACHABLE = _row(
    error_code=800,
    category=Category.CALLBACK_UNREACHABLE,
    verdict=Verdict.UNCERTAIN,
    delays=(2 * _M,),
    lookups=LookupBy.BY_ID,
    alert=True,
    why="The provider cannot reach our callback address: the fax is fine, its result has to be read.",
)

ROWS = (
    SUBMIT_UNKNOWN,
    MOVED,
    replace(MOVED, error_code=307),
    replace(MOVED, error_code=308),
    INVALID_REQUEST,
    AUTH,
    NO_FUNDS,
    FORBIDDEN,
    CONFIG,
    replace(SUBMIT_UNKNOWN, error_code=408),
    TOO_LARGE,
    UNSUPPORTED,
    replace(INVALID_REQUEST, error_code=422, why="The provider refused a parameter of the request."),
    RATE_LIMITED,
    SERVER_ERROR,
    UNAVAILABLE,
    replace(UNAVAILABLE, error_code=503, why="The provider says that it is not available just now."),
    replace(SUBMIT_UNKNOWN, error_code=504, why="A gateway waited in vain; the fax may have been accepted."),
    CALLBACK_UNREACHABLE,
)

_BAD_CONTENT = _refused(
    error_code=422,
    category=Category.DOCUMENT_INVALID,
    scope=Scope.BATCH,
    hold_after=5,
    remedies=documents.INVALID.remedies,
    fallback=Fallback.UNCHANGED,
    why="The provider refused the document or its address, which the batch's jobs share.",
)

#: 422 by the field that was refused, the most general fault first; any other field takes the row of 422
FIELD_RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "from": replace(
            CONFIG,
            error_code=422,
            why="The sender's number may not be used; all jobs of the batch share it and wait for a correction.",
        ),
        "to": _refused(
            error_code=422,
            category=Category.BAD_NUMBER,
            scope=Scope.BATCH,
            hold_after=20,
            remedies=calls.NOT_OPERATIONAL.remedies,
            fallback=Fallback.UNCHANGED,
            why="The provider does not accept the recipient's number.",
        ),
        "contentUrl": _BAD_CONTENT,
        "files": _BAD_CONTENT,
        "file": _BAD_CONTENT,
    }
)

TRANSPORT = _row(
    error_code=0,
    category=Category.TRANSPORT,
    verdict=Verdict.RETRY,
    remedies=(remedies.PROVIDER_BREAKER,),
    why="The request surely did not leave: no address, no connection or no encryption.",
)
CALLBACK_MISSING = _row(
    error_code=0,
    category=Category.CALLBACK_MISSING,
    verdict=Verdict.UNCERTAIN,
    lookups=LookupBy.BY_ID,
    why="The callback is overdue and may come hours late, so the fax is read back.",
)
#: 404 when an accepted fax is read back
READBACK_MISSING = _row(
    error_code=404,
    category=Category.SUBMIT_UNKNOWN,
    verdict=Verdict.UNCERTAIN,
    delays=(30.0, 2 * _M, 10 * _M),
    max_attempts=4,
    scope=Scope.JOB,
    lookups=LookupBy.BY_ID,
    alert=True,
    why="An accepted fax cannot be read: the provider's index lags, or the fax was deleted.",
)
#: a fault of bulkfax itself, such as a job whose workers keep vanishing
INTERNAL = _row(
    error_type="other",
    error_code=0,
    category=Category.INTERNAL,
    verdict=Verdict.HOLD,
    scope=Scope.JOB,
    hold_after=1,
    alert=True,
    why="Something on our side keeps failing with this job, so it waits for a person.",
)
