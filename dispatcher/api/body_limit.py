"""Bounds of request bodies, by path: their size, their pace, and the memory of those that are read whole.

Starlette's own limit is not used, as it answers in plain text.
"""

import re
from typing import NamedTuple

from fastapi import HTTPException
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dispatcher.api.connection import BodyKind, set_body_kind
from dispatcher.api.problems import problem_of, problem_response
from dispatcher.api.turns import Turns

_MB = 1_000_000
#: maximum bytes of all other requests, which are small JSON, and the maximum of lists and objects in it. Parsing a
#: megabyte of them would take most of a second
_ORDINARY_BYTES, _ORDINARY_BRACKETS = 1 * _MB, 2_000
#: bytes of an ordinary body that are received without a turn, bodies that have one, and how many others wait
_WITHOUT_TURN_BYTES = 16 * 1024
BODIES_AT_ONCE, BODIES_WAITING = 16, 32


class _Limit(NamedTuple):
    size: int
    kind: BodyKind


_ORDINARY = _Limit(_ORDINARY_BYTES, BodyKind.ORDINARY)
_LIMITS = (
    # a million recipients with a kilobyte of columns each; read and stored piece by piece
    (re.compile(r"/v1/batches/[^/]+/recipients|/v1/recipients/dry-run"), _Limit(1000 * _MB, BodyKind.LIST)),
    # a million numbers with a reason each
    (re.compile(r"/v1/suppressions/import"), _Limit(200 * _MB, BodyKind.LIST)),
    # a document of 20 MB and what a form puts around it
    (re.compile(r"/v1/documents"), _Limit(21 * _MB, BodyKind.FILE)),
    # the provider's callbacks may carry the document as base64
    (re.compile(r"/callbacks/.*"), _Limit(28 * _MB, BodyKind.FILE)),
)

#: digits of a length; int() refuses very many
_LENGTH = re.compile(r"[0-9]{1,18}")


def largest_body(path: str) -> int:
    """Return the maximum number of bytes in a request to ``path``."""
    return _limit_of(path).size


def _limit_of(path: str) -> _Limit:
    return next((limit for pattern, limit in _LIMITS if pattern.fullmatch(path)), _ORDINARY)


class BodyLimit:
    """Refuses bodies that are too large: at once by ``Content-Length``, otherwise while they are received.

    It comes after the check of the key, and tells the connection how patient to be.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = _limit_of(scope["path"])
        refusal = _refusal(Headers(scope=scope), limit.size)
        if refusal is not None:
            await problem_response(problem_of(refusal))(scope, receive, send)
            return
        set_body_kind(scope, limit.kind)
        if limit is not _ORDINARY:
            await self._app(scope, _limited(receive, limit.size), send)
            return
        body = _OrdinaryBody(receive, scope["app"].state.body_turns)
        try:
            await self._app(scope, body.receive, send)
        finally:
            body.end()


def _refusal(headers: Headers, limit: int) -> HTTPException | None:
    codings = ",".join(headers.getlist("content-encoding")).lower().split(",")
    if any(coding.strip(" \t") not in ("", "identity") for coding in codings):
        return HTTPException(415, "Send the body as it is, without Content-Encoding.")
    if headers.get("transfer-encoding", "chunked").lower() != "chunked":  # the parser leaves "gzip, chunked" packed
        return HTTPException(415, "Send the body as it is: Transfer-Encoding is chunked, or there is none.")
    content_length = headers.get("content-length", "0")
    if not _LENGTH.fullmatch(content_length):
        return HTTPException(400, "The Content-Length header is not a number of bytes.")
    return _too_large(limit) if int(content_length) > limit else None


def _too_large(limit: int) -> HTTPException:
    return HTTPException(
        413, f"The body may have at most {limit:,} bytes at this path; split the list, or make the document smaller."
    )


def _limited(receive: Receive, limit: int) -> Receive:
    """Return a ``receive`` that raises 413 once more than ``limit`` bytes have arrived."""
    seen = 0

    async def counted() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > limit:
            raise _too_large(limit)
        return message

    return counted


class _OrdinaryBody:
    """A body that is read whole before it is parsed. A large one is received when it has a turn."""

    def __init__(self, receive: Receive, turns: Turns) -> None:
        self._receive = receive
        self._turns = turns
        self._has_turn = False
        self._seen = self._brackets = 0

    async def receive(self) -> Message:
        """Receive the next part. Raises HTTPException: 413 or 422 for too large a body, 503 without a turn."""
        message = await self._receive()
        body = message.get("body", b"")
        self._seen += len(body)
        if self._seen > _ORDINARY_BYTES:
            raise _too_large(_ORDINARY_BYTES)
        self._brackets += body.count(b"[") + body.count(b"{")
        if self._brackets > _ORDINARY_BRACKETS:
            raise HTTPException(422, f"The body may have at most {_ORDINARY_BRACKETS:,} lists and objects.")
        if self._seen > _WITHOUT_TURN_BYTES and not self._has_turn:
            await self._turns.take()
            self._has_turn = True
        return message

    def end(self) -> None:
        """Free the turn, if there is one."""
        if self._has_turn:
            self._turns.end()
