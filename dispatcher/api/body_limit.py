"""Maximum sizes of request bodies, by path. Starlette's own limit is not used, as it answers in plain text."""

import re

from fastapi import HTTPException
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dispatcher.api.problems import problem_of, problem_response

_MB = 1_000_000
#: maximum bytes of all other requests, which are small JSON, and the maximum of lists and objects in it. Parsing a
#: megabyte of them would take most of a second
_ORDINARY_BYTES, _ORDINARY_BRACKETS = 1 * _MB, 2_000
_BYTES = (
    # a million recipients with a kilobyte of columns each; read and stored piece by piece
    (re.compile(r"/v1/batches/[^/]+/recipients|/v1/recipients/dry-run"), 1000 * _MB),
    # a document of 20 MB and what a form puts around it
    (re.compile(r"/v1/documents"), 21 * _MB),
    # the provider's callbacks may carry the document as base64
    (re.compile(r"/callbacks/.*"), 28 * _MB),
)

#: digits of a length; int() refuses very many
_LENGTH = re.compile(r"[0-9]{1,18}")


def largest_body(path: str) -> int:
    """Return the maximum number of bytes in a request to ``path``."""
    return next((limit for pattern, limit in _BYTES if pattern.fullmatch(path)), _ORDINARY_BYTES)


class BodyLimit:
    """Refuses bodies that are too large: at once by ``Content-Length``, otherwise while they are received."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = largest_body(scope["path"])
        refusal = _refusal(Headers(scope=scope), limit)
        if refusal is not None:
            await problem_response(problem_of(refusal))(scope, receive, send)
            return
        await self._app(scope, _limited(receive, limit, nested=limit != _ORDINARY_BYTES), send)


def _refusal(headers: Headers, limit: int) -> HTTPException | None:
    codings = ",".join(headers.getlist("content-encoding")).lower().split(",")
    if any(coding.strip(" \t") not in ("", "identity") for coding in codings):
        return HTTPException(415, "Send the body as it is, without Content-Encoding.")
    content_length = headers.get("content-length", "0")
    if not _LENGTH.fullmatch(content_length):
        return HTTPException(400, "The Content-Length header is not a number of bytes.")
    return _too_large(limit) if int(content_length) > limit else None


def _too_large(limit: int) -> HTTPException:
    return HTTPException(
        413, f"The body may have at most {limit:,} bytes at this path; split the list, or make the document smaller."
    )


def _limited(receive: Receive, limit: int, *, nested: bool) -> Receive:
    """Return a ``receive`` that raises 413 once more than ``limit`` bytes have arrived.

    Without ``nested`` it raises 422 once they contain too many opening brackets.
    """
    seen = brackets = 0

    async def counted() -> Message:
        nonlocal seen, brackets
        message = await receive()
        body = message.get("body", b"")
        seen += len(body)
        if seen > limit:
            raise _too_large(limit)
        brackets += 0 if nested else body.count(b"[") + body.count(b"{")
        if brackets > _ORDINARY_BRACKETS:
            raise HTTPException(422, f"The body may have at most {_ORDINARY_BRACKETS:,} lists and objects.")
        return message

    return counted
