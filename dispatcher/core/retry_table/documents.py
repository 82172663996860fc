"""DOCUMENT_CONVERSION_ERROR: the provider could not make a fax of the file. No call was made, none is spent."""

from dataclasses import replace
from functools import partial

from dispatcher.core.retry_table import remedies
from dispatcher.core.retry_table.rule import Category, Fallback, Rule, Scope, Spends, Verdict

_M = 60.0

_row = partial(
    Rule,
    error_type="DOCUMENT_CONVERSION_ERROR",
    spends=Spends.NOTHING,
    verdict=Verdict.RETRY,
    fallback=Fallback.UNCHANGED,
)

CONVERT = _row(
    error_code=4,
    category=Category.DOCUMENT_CONVERT,
    delays=(2 * _M,),
    max_attempts=2,
    scope=Scope.DOCUMENT,
    hold_after=2,
    remedies=(remedies.RERENDER,),
    why="The provider's converter stumbled; when it does so twice the file is the cause: send another PDF.",
)
FETCH = _row(
    error_code=54,
    category=Category.DOCUMENT_FETCH,
    delays=(30.0, 2 * _M, 10 * _M, 30 * _M),
    max_attempts=5,
    remedies=(remedies.PROBE_URL, remedies.UPLOAD_INSTEAD),
    why="The document's URL could not be reached: an expired link, a bad certificate chain or a filter, mostly.",
)
INVALID = _row(
    error_code=55,
    category=Category.DOCUMENT_INVALID,
    verdict=Verdict.PERMANENT,
    max_attempts=1,
    scope=Scope.DOCUMENT,
    hold_after=1,
    remedies=(remedies.PREFLIGHT,),
    why="The document's address is malformed, and that does not heal; all jobs with it share it.",
)
STORAGE = _row(
    error_code=57,
    category=Category.PROVIDER_STORAGE,
    delays=(1 * _M, 5 * _M, 20 * _M),
    max_attempts=4,
    remedies=(remedies.BREAKER_BY_FAXES,),
    why="The provider could not store the file; number and file are innocent.",
)
SIMULATED = _row(
    error_code=122,
    category=Category.SIMULATED,
    verdict=Verdict.PERMANENT,
    max_attempts=1,
    fallback=Fallback.NONE,
    alert=True,
    why="A test hook answered: in production someone is sending test traffic.",
)
TYPE_UNKNOWN = _row(
    error_code=128,
    category=Category.DOCUMENT_INVALID,
    delays=(0.0,),
    max_attempts=2,
    scope=Scope.DOCUMENT,
    hold_after=1,
    remedies=(remedies.FIX_TYPE,),
    fallback=Fallback.PERMANENT,
    why="The provider could not tell the file's type; a repeat helps only with the right name or type.",
)
UNSUPPORTED = _row(
    error_code=129,
    category=Category.DOCUMENT_UNSUPPORTED,
    verdict=Verdict.PERMANENT,
    max_attempts=1,
    scope=Scope.DOCUMENT,
    hold_after=1,
    remedies=(remedies.CONVERT,),
    fallback=Fallback.PERMANENT,
    why="The provider does not take this type of file, so it never takes these bytes.",
)
NOT_NORMALISED = _row(
    error_code=133,
    category=Category.DOCUMENT_CONVERT,
    delays=(0.0,),
    max_attempts=2,
    scope=Scope.DOCUMENT,
    hold_after=2,
    remedies=(remedies.RERENDER,),
    fallback=Fallback.PERMANENT,
    why="The PDF could not be normalised; the same bytes fail again: save the document anew.",
)

ROWS = (
    CONVERT,
    FETCH,
    INVALID,
    STORAGE,
    replace(STORAGE, error_code=69),
    SIMULATED,
    TYPE_UNKNOWN,
    UNSUPPORTED,
    replace(UNSUPPORTED, error_code=130, why="The provider does not take XML, so it never takes these bytes."),
    NOT_NORMALISED,
)
