"""The responses of the emulated API: JSON, error bodies, and requests that get no response."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from pydantic_core import PydanticSerializationError, to_json
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from dispatcher.emulator.odd_content import BODIES

#: key in the ASGI scope: a function that closes the connection of the request
DROP = "emulator.drop"


class ApiError(Exception):
    """The emulated API refuses a request.

    The application turns it into an error response.
    """

    def __init__(self, status: int, message: str, violations: list[tuple[str, str]] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.violations = violations or []


def encode_json(value: Any) -> bytes:
    """Encode a value as JSON.

    A lone surrogate, which UTF-8 cannot represent, is written as an escape.
    """
    try:
        return to_json(value)
    except PydanticSerializationError:
        return json.dumps(value).encode()


def json_response(value: Any, status: int = 200) -> Response:
    """Create a JSON response."""
    return Response(encode_json(value), status, media_type="application/json")


def odd_response(status: int, body: str, headers: Mapping[str, str] | None = None) -> Response:
    """Create a response with a malformed body; ``body`` is its name in ``odd_content.BODIES``."""
    content, media_type = BODIES[body]
    return Response(content, status, headers, media_type)


def no_content() -> Response:
    """Create a 204 response."""
    return Response(status_code=204)


def error_response(
    status: int,
    message: str,
    violations: list[tuple[str, str]] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Create an error response as documented: ``code`` is a string, and a 400 has the code "404"."""
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
    """Create the documented 401: it has no body, and ``WWW-Authenticate`` says what is wrong."""
    return Response(status_code=401, headers={"WWW-Authenticate": challenge})


class NoResponse(Response):
    """Sends no response: closes the connection at once (``drop``), or waits until the client disconnects."""

    def __init__(self, *, drop: bool) -> None:
        super().__init__()
        self._drop = drop

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Wait for the end of the connection."""
        if self._drop:
            scope[DROP]()
        while (await receive())["type"] != "http.disconnect":
            pass
