"""Turns exceptions into problem documents (RFC 9457)."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Match

from dispatcher.api.request_id import request_id_header
from dispatcher.recipients.errors import RecipientListError, UnsupportedContentType
from dispatcher.schema.problem_types import PROBLEM_TYPES, ProblemType, general_type
from dispatcher.schema.responses import Fault, Problem
from dispatcher.service import errors
from dispatcher.service.documents import DocumentWarning

MEDIA_TYPE = "application/problem+json"
#: seconds after which a caller should try again if Redis is not available
RETRY_AFTER_S = 5


class UploadBroken(Exception):
    """Raised if an upload ends early. Lines up to ``lines_stored`` stay stored under the key ``upload``."""

    def __init__(self, cause: Exception, upload: str, lines_stored: int) -> None:
        super().__init__(str(cause))
        self.cause = cause
        self.upload = upload
        self.lines_stored = lines_stored


#: type of the problem for each error that a use-case or the store may raise
_NAMES: Mapping[type[Exception], str] = {
    errors.Deleted: "deleted",
    errors.Missing: "not-found",
    errors.WarningsNotAllowed: "document-warnings",
    errors.NumberSuppressed: "suppressed",
    errors.ActionNotAllowed: "not-allowed",
    errors.Conflict: "key-reused",
    errors.Repeated: "repeat",
    errors.TooManyDrafts: "too-many-drafts",
    errors.InvalidInput: "invalid",
    errors.Unreadable: "unreadable",
    errors.TooLarge: "too-large",
    errors.Forged: "forged",
    errors.WrongCredentials: "wrong-credentials",
    errors.StoreFull: "full",
    errors.UnreadableData: "unreadable-data",
    errors.StoreError: "store-unavailable",
    UnsupportedContentType: "unsupported-content-type",
    RecipientListError: "unreadable-list",
}
_BROKEN_JSON = (
    "The body cannot be read as JSON: it is nested too deeply, has a number of thousands of digits, or is not UTF-8."
)
_INTERNAL = "An internal error occurred; the log of web contains the details, with the X-Request-Id of this answer."
#: exceptions that are answers; all others are internal errors
EXPECTED = (errors.ServiceError, errors.StoreError, RecipientListError, HTTPException, UploadBroken)
#: the answer to a caller that disconnected during its request; nobody reads it
GONE = Response(status_code=400)
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
#: under this name an answer of the OpenAPI document lists the types of its problems
TYPES_KEY = "x-problem-types"


def raises(*errors_raised: type[Exception]) -> dict[int | str, dict[str, Any]]:
    """Return the answers of a route whose use-case raises these errors, for the OpenAPI document.

    What any request may be refused for is not named here: ``description`` adds it.
    """
    return answers(_NAMES[error] for error in errors_raised)


def answers(names: Iterable[str]) -> dict[int | str, dict[str, Any]]:
    """Return the answers with problems of these types, by status, for the OpenAPI document."""
    by_status = defaultdict[int, list[ProblemType]](list)
    for name in names:
        problem_type = PROBLEM_TYPES[name]
        by_status[problem_type.status].append(problem_type)
    return {
        status: {
            "description": " ".join(f"`{problem_type.name}`: {problem_type.meaning}" for problem_type in types),
            TYPES_KEY: [problem_type.name for problem_type in types],
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status, types in by_status.items()
    }


def install(app: FastAPI) -> None:
    """Answer every exception with a problem document."""
    for kind in (*EXPECTED, RequestValidationError):
        app.add_exception_handler(kind, _answer)
    app.add_exception_handler(ClientDisconnect, _gone)
    app.add_exception_handler(Exception, _answer)


def problem_response(problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
    extra = {"Retry-After": str(RETRY_AFTER_S)} if problem.status == 503 else {}
    content = problem.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    return JSONResponse(content, problem.status, {**(headers or {}), **extra}, MEDIA_TYPE)


def problem_of(error: Exception) -> Problem:
    """Return the problem document for an exception. It contains no details of an unexpected one."""
    match error:
        case UploadBroken():
            return _broken(error)
        case RequestValidationError():
            return _problem(PROBLEM_TYPES["invalid"], detail="", faults=_validation_faults(error.errors()))
        case HTTPException(status_code=400, __cause__=RecursionError() | ValueError()):
            return _problem(PROBLEM_TYPES["unreadable"], detail=_BROKEN_JSON)
        case HTTPException():
            return _problem(general_type(error.status_code), detail=str(error.detail))
    for kind, name in _NAMES.items():
        if isinstance(error, kind):
            problem = _problem(PROBLEM_TYPES[name], detail=str(error), faults=_faults(error))
            return problem.model_copy(update=_more(error))
    return _problem(PROBLEM_TYPES["internal"], detail=_INTERNAL)


async def _answer(request: Request, error: Exception) -> Response:
    headers = error.headers if isinstance(error, HTTPException) else None
    problem = problem_of(error)
    if problem.status == 500:  # answered outside of all middleware
        headers = request_id_header(request.scope)
    return problem_response(problem, {"Allow": _allowed(request)} if problem.status == 405 else headers)


def _allowed(request: Request) -> str:
    """Return the methods of a path. The framework names those of the first route with it only."""
    offered = {
        method
        for method in _METHODS
        if any(route.matches({**request.scope, "method": method})[0] is Match.FULL for route in request.app.routes)
    }
    if "GET" in offered:
        offered.add("HEAD")
    return ", ".join(method for method in _METHODS if method in offered)


async def _gone(request: Request, error: Exception) -> Response:
    return GONE


def _problem(problem_type: ProblemType, *, detail: str, faults: Sequence[Fault] = ()) -> Problem:
    return Problem(
        type=problem_type.uri,
        title=problem_type.title,
        status=problem_type.status,
        detail=detail or "; ".join(f"{fault.field}: {fault.message}" for fault in faults),
        errors=tuple(faults),
    )


def _broken(error: UploadBroken) -> Problem:
    problem = problem_of(error.cause)
    stored = error.lines_stored
    what = f"The lines up to {stored} are stored" if stored else "Nothing of the list was stored"
    how = f"send the whole list again with Idempotency-Key {error.upload} to continue from there, or cancel the batch"
    detail = f"{problem.detail.rstrip('.')}. {what}; {how}." if stored else f"{problem.detail.rstrip('.')}. {what}."
    return problem.model_copy(update={"detail": detail, "upload": error.upload, "lines_stored": stored})


def _more(error: Exception) -> dict[str, Any]:
    match error:
        case errors.Repeated():
            return {"batch": error.batch, "shared": error.shared}
    return {}


def _faults(error: Exception) -> list[Fault]:
    match error:
        case errors.InvalidInput():
            return [Fault(field=name, message=message) for name, message in error.faults.items()]
        case errors.WarningsNotAllowed():
            return [_warning_fault(position, warning) for position, warning in error.warnings]
        case RecipientListError():
            return [Fault(line=error.line, message=f"{error.what} {error.what_to_do}")]
    return []


def _warning_fault(position: int, warning: DocumentWarning) -> Fault:
    return Fault(field=f"documents[{position}]", code=warning.code, page=warning.page or None, message=warning.sentence)


def _validation_faults(details: Sequence[Mapping[str, Any]]) -> list[Fault]:
    return [Fault(field=_field(error["loc"], error["type"]), message=_message(error)) for error in details]


def _field(location: Sequence[str | int], kind: str) -> str:
    """Return the location ``("body", "documents", 0)`` as ``documents[0]``."""
    if kind == "json_invalid" or len(location) == 1:
        return "body"
    name = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location[1:])
    return name.removeprefix(".")


def _message(fault: Mapping[str, Any]) -> str:
    match fault["type"]:
        case "extra_forbidden":
            return "there is no such field"
        case "missing":
            return "this field is needed"
        case "json_invalid":
            return f"the body is not valid JSON: {fault['ctx']['error']}"
        case "model_attributes_type":
            return "send a JSON object with Content-Type: application/json"
    text = str(fault["msg"]).removeprefix("Value error, ")
    return text[:1].lower() + text[1:]
