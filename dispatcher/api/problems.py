"""Turns exceptions into problem documents (RFC 9457)."""

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Match

from dispatcher.recipients.errors import RecipientListError, UnsupportedContentType
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


#: status, short name and title for each error that a use-case or the store may raise
_KINDS: Mapping[type[Exception], tuple[int, str, str]] = {
    errors.Deleted: (410, "deleted", "Deleted"),
    errors.Missing: (404, "not-found", "Not found"),
    errors.WarningsNotAllowed: (409, "document-warnings", "The documents have warnings"),
    errors.NumberSuppressed: (409, "suppressed", "On the do-not-fax list"),
    errors.ActionNotAllowed: (409, "not-allowed", "Not allowed in this state"),
    errors.Conflict: (409, "key-reused", "Idempotency key used for other content"),
    errors.Repeated: (409, "repeat", "Sent a short while ago"),
    errors.TooManyDrafts: (409, "too-many-drafts", "Too many open drafts"),
    errors.InvalidInput: (422, "invalid", "Fields cannot be used"),
    errors.Unreadable: (422, "unreadable", "The body cannot be understood"),
    errors.TooLarge: (413, "too-large", "The body is too large"),
    errors.Forged: (403, "forged", "Invalid signature"),
    errors.WrongCredentials: (502, "wrong-credentials", "Wrong credentials for the provider"),
    errors.StoreFull: (507, "full", "No room left"),
    errors.UnreadableData: (409, "unreadable-data", "Stored data cannot be read"),
    errors.StoreError: (503, "store-unavailable", "The store cannot be used"),
    UnsupportedContentType: (415, "unsupported-content-type", "Unsupported type of list"),
    RecipientListError: (422, "unreadable-list", "The list of recipients cannot be read"),
}
_BROKEN_JSON = (
    "The body cannot be read as JSON: it is nested too deeply, has a number of thousands of digits, or is not UTF-8."
)
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_TITLES = {
    400: "Bad request",
    401: "API key missing or wrong",
    403: "Refused",
    404: "Not found",
    405: "Method not allowed",
    408: "Too slow",
    409: "Not allowed in this state, or idempotency key used for other content",
    410: "Deleted",
    413: "The body is too large",
    414: "The address is too long",
    415: "Unsupported type of body",
    416: "No such part",
    422: "Fields cannot be used",
    431: "The headers are too large",
    500: "Internal error",
    502: "Wrong credentials for the provider",
    503: "Not available",
    507: "No room left",
}
#: statuses that every operation may answer with, whatever it does
_EVERYWHERE = (400, 403, 405, 408, 413, 414, 415, 422, 431, 500, 503)


def _schema() -> dict[str, Any]:
    """Return the schema of a problem without references, which would point into the OpenAPI document."""
    schema = Problem.model_json_schema()
    schema["properties"]["errors"]["items"] = schema.pop("$defs")["Fault"]
    return schema


_CONTENT = {MEDIA_TYPE: {"schema": _schema()}}


def described(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return problems for the OpenAPI document."""
    return {status: {"description": _TITLES[status], "content": _CONTENT} for status in statuses}


#: for the OpenAPI document: every operation may answer with a problem
RESPONSES = {"default": {"description": "Problem", "content": _CONTENT}} | described(*_EVERYWHERE)


#: for the OpenAPI document: what creates a draft may be refused because too many are open
TOO_MANY_DRAFTS: dict[int | str, dict[str, Any]] = {
    409: {
        "description": "Too many open drafts: start or cancel some. Or the idempotency key was used for other content.",
        "content": _CONTENT,
    }
}


def install(app: FastAPI) -> None:
    """Answer every exception with a problem document."""
    for kind in (errors.ServiceError, errors.StoreError, RecipientListError, HTTPException):
        app.add_exception_handler(kind, _answer)
    app.add_exception_handler(UploadBroken, _answer)
    app.add_exception_handler(RequestValidationError, _answer)
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
            return _problem(422, "invalid", detail="", faults=_validation_faults(error.errors()))
        case HTTPException(status_code=400, __cause__=RecursionError() | ValueError()):
            return _problem(422, "unreadable", title="The body cannot be understood", detail=_BROKEN_JSON)
        case HTTPException():
            return _problem(error.status_code, "", detail=str(error.detail))
    for kind, (status, name, title) in _KINDS.items():
        if isinstance(error, kind):
            problem = _problem(status, name, title=title, detail=str(error), faults=_faults(error))
            return problem.model_copy(update=_more(error))
    return _problem(500, "internal", detail="An internal error occurred; the log of the API contains the details.")


async def _answer(request: Request, error: Exception) -> Response:
    headers = error.headers if isinstance(error, HTTPException) else None
    problem = problem_of(error)
    return problem_response(problem, {"Allow": _allowed(request)} if problem.status == 405 else headers)


def _allowed(request: Request) -> str:
    """Return the methods of a path. The framework names those of the first route with it only."""
    offered = (
        method
        for method in _METHODS
        if any(route.matches({**request.scope, "method": method})[0] is Match.FULL for route in request.app.routes)
    )
    return ", ".join(offered)


async def _gone(request: Request, error: Exception) -> Response:
    """Answer a caller that disconnected during its request; nobody reads this answer."""
    return Response(status_code=400)


def _problem(status: int, name: str, *, detail: str, title: str = "", faults: Sequence[Fault] = ()) -> Problem:
    return Problem(
        type=f"urn:bulkfax:problem:{name}" if name else "about:blank",
        title=title or _TITLES.get(status, "Error"),
        status=status,
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
