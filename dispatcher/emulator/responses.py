"""The provider's answers: JSON, its error bodies, and the answer that never comes."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from pydantic_core import PydanticSerializationError, to_json
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from dispatcher.emulator.odd_content import BODIES

#: The name under which the server lends a function that cuts the connection of a request.
DROP = "emulator.drop"


class ApiError(Exception):
    """A request that the provider refuses; becomes its answer at the edge of the application."""

    def __init__(self, status: int, message: str, violations: list[tuple[str, str]] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.violations = violations or []


def encode_json(value: Any) -> bytes:
    """JSON; half a character, which UTF-8 does not have, is written with a backslash."""
    try:
        return to_json(value)
    except PydanticSerializationError:
        return json.dumps(value).encode()


def json_answer(value: Any, status: int = 200) -> Response:
    return Response(encode_json(value), status, media_type="application/json")


def odd_answer(status: int, body: str, headers: Mapping[str, str] | None = None) -> Response:
    """A body by its name in `odd_content.BODIES`."""
    content, media_type = BODIES[body]
    return Response(content, status, headers, media_type)


def no_content() -> Response:
    return Response(status_code=204)


def error_answer(
    status: int,
    message: str,
    violations: list[tuple[str, str]] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """An error body as documented: `code` is text, and the documented 400 carries the code "404"."""
    code = "404" if status == 400 else str(status)
    body: dict[str, Any] = {"code": code, "error": _phrase(status), "message": message}
    if violations:
        body["details"] = {"fieldViolations": [{"field": field, "description": text} for field, text in violations]}
    return Response(to_json(body), status, headers, "application/json")


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


def unauthorized(challenge: str) -> Response:
    """The documented 401: no body; what is wrong is in `WWW-Authenticate`."""
    return Response(status_code=401, headers={"WWW-Authenticate": challenge})


class NoAnswer(Response):
    """Never answers: cuts the connection at once (`drop`), or waits until the client gives up."""

    def __init__(self, *, drop: bool) -> None:
        super().__init__()
        self._drop = drop

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._drop:
            scope[DROP]()
        while (await receive())["type"] != "http.disconnect":
            pass
