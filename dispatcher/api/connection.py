"""Bounds of one connection to the web process: bytes around a body, time, speed, and the number of connections.

uvicorn and its parser have none of these. A reverse proxy has them, but bulkfax does not depend on one.
"""

import asyncio
import math
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import ClassVar, cast

from fastapi import HTTPException
from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from dispatcher.api.problems import problem_of, problem_response
from dispatcher.api.request_id import HEADER, new_request_id

#: maximum bytes of a request line, its headers and its trailers together
MAX_HEAD_BYTES = 64_000
#: bytes that the framing of one chunk may have: its length in hexadecimal, two line ends, a short extension
_CHUNK_FRAMING = 20
#: chunks of a body that may be tiny, and the bytes that chunks then have on average. The parser takes as long for a
#: chunk of a byte as for a large one, and what arrives at once is parsed without a pause
_TINY_CHUNKS, _CHUNK_BYTES = 1_000, 8
#: what is parsed without a pause in a body of chunks: bytes, and chunks after which a connection waits. All connections
#: together then get a chunk parsed in this time, twice what it takes, so that others are served as well
_PART_BYTES, _CHUNKS_AT_ONCE, _CHUNK_S = 16 * 1024, 500, 5e-6
#: bytes that the kernel keeps for a client that does not read. It would keep megabytes, in which slow and dead clients
#: cannot be told apart
_SEND_BUFFER_BYTES = 256 * 1024
#: bytes of an answer that have left when a connection goes on to write: asyncio waits from 64 kB to 16 kB
_WRITTEN_BYTES = 48 * 1024
#: files that connections leave to Redis, the log and everything else
_OTHER_FILES = 100


class BodyKind(Enum):
    """Kinds of bodies, by the time in which they arrive."""

    #: JSON that is kept in memory until it is complete
    ORDINARY = auto()
    #: recipients, which a program may take from a slow source
    LIST = auto()
    #: documents and callbacks; and every body before its request is understood
    FILE = auto()


def set_body_kind(scope: Scope, kind: BodyKind) -> None:
    """Tell the connection of a request what kind of body it receives."""
    scope.setdefault("state", {})["body_kind"] = kind


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyTimes:
    """How slowly a body may arrive, in seconds."""

    #: time for which a client may be behind the rate
    grace_s: float
    #: time for which it may be ahead of the rate: what it sends quickly makes up for what it sends slowly later
    credit_s: float
    #: time without a byte
    idle_s: float
    #: time in all
    whole_s: float = math.inf


class _ChunkPace:
    """Shares the time for chunks between all connections of the process."""

    def __init__(self) -> None:
        self._busy_until = 0.0

    def after(self, now: float, chunks: int) -> float:
        """Return when a connection that has had so many chunks parsed goes on."""
        self._busy_until = max(self._busy_until, now) + chunks * _CHUNK_S
        return self._busy_until


class BoundedConnection(HttpToolsProtocol):
    """uvicorn's protocol for HTTP/1.1, with bounds. A subclass may change them.

    Time and speed are checked by one timer per connection, so that an ordinary request costs next to nothing more.
    """

    #: maximum number of header fields
    MAX_HEADERS: ClassVar = 100
    #: maximum number of requests that wait for the answer to an earlier one on their connection
    MAX_PIPELINED: ClassVar = 8
    #: seconds in which a request's headers arrive, or the rest of a body that is already answered
    HEAD_S: ClassVar = 10.0
    #: average bytes in a second that a client sends of a body. The rate is that of Apache's ``RequestReadTimeout``.
    RATE: ClassVar = 500
    PATIENCE: ClassVar[Mapping[BodyKind, BodyTimes]] = {
        BodyKind.ORDINARY: BodyTimes(grace_s=20, credit_s=0, idle_s=20, whole_s=30),
        BodyKind.LIST: BodyTimes(grace_s=120, credit_s=600, idle_s=120),
        BodyKind.FILE: BodyTimes(grace_s=20, credit_s=60, idle_s=20),
    }
    #: bytes in a second that a client reads of an answer, and how long it may be behind
    READ_RATE: ClassVar = 5_000
    READ_GRACE_S: ClassVar = 30.0
    #: seconds that bodies may still arrive, and answers be read, after the process was asked to stop
    STOP_S: ClassVar = 10.0
    #: seconds between two checks
    TICK_S: ClassVar = 1.0
    #: connections in all. One more ends the longest idle one, or is answered with 503.
    MAX_CONNECTIONS: ClassVar = 1000

    _pace: ClassVar = _ChunkPace()
    url = b""
    _timer: asyncio.TimerHandle
    _refusal: tuple[int, str] | None = None
    #: bytes of the present message that are not body, whether its headers are incomplete, and until when they may be
    _framing = 0
    _in_head = True
    _head_by: float | None = None
    _idle_since = 0.0
    #: whether the present body comes in chunks, its bytes and chunks, and pieces of it that the parser has found in
    #: what arrived last
    _is_chunked = False
    _body_bytes = 0
    _chunks = 0
    _pieces: list[bytes]
    #: chunks since the connection waited last; if it waits now, what has arrived and is not parsed, and until when
    _new_chunks = 0
    _unparsed = b""
    _waiting: asyncio.TimerHandle | None = None
    #: bytes of body since the last check, how many bytes the client is behind the rate (negative: ahead of it), and
    #: seconds for which it has sent nothing, and in all
    _received = 0
    _behind = 0.0
    _silent_s = 0.0
    _sending_s = 0.0
    #: the same of the answer: bytes that the client had not read at the last check, and some that it has read since
    _unread = 0
    _read = 0
    _unread_behind = 0.0
    _stopping: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        super().connection_made(transport)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
        self._pieces = []
        self._idle_since = self.loop.time()
        self._head_by = self._idle_since + self.HEAD_S
        self._timer = self.loop.call_later(self.TICK_S, self._check)
        if len(self.connections) > self.MAX_CONNECTIONS and not self._make_room():
            self._refuse(503, "There are too many connections; try again soon.")

    def connection_lost(self, exc: Exception | None) -> None:
        self._timer.cancel()
        for timer in (self._stopping, self._waiting):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """End the connection after its request. Called by uvicorn when the process was asked to stop."""
        super().shutdown()
        if not self.transport.is_closing():
            self._stopping = self.loop.call_later(self.STOP_S, self._stop)

    def _stop(self) -> None:
        """End the connection if it waits for its client. What has arrived completely is still answered."""
        if not self._answering or self.cycle.more_body:
            self._refuse(503, "The process stops; send the request again.")
        elif self.cycle.response_started:
            self.transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._waiting is None:
            self._parse_in_parts(data)
        else:
            self._unparsed += data
            self.transport.pause_reading()

    def _parse_in_parts(self, data: bytes) -> None:
        """Parse what has arrived, and wait after many chunks: the parser itself makes no pause."""
        while data:
            size = _PART_BYTES if self._in_head or self._is_chunked else len(data)
            self._parse(data[:size])
            data = data[size:]
            if self._new_chunks > _CHUNKS_AT_ONCE and not self.transport.is_closing():
                self._unparsed = data
                self.transport.pause_reading()
                self._waiting = self.loop.call_at(self._pace.after(self.loop.time(), self._new_chunks), self._go_on)
                self._new_chunks = 0
                return

    def _go_on(self) -> None:
        data, self._unparsed, self._waiting = self._unparsed, b"", None
        if not self.transport.is_closing():
            self._parse_in_parts(data)
        if self._waiting is None and not self.flow.read_paused:
            self.transport.resume_reading()

    def _parse(self, data: bytes) -> None:
        self._framing += len(data)
        if self._head_by is None and not self._answering:
            self._head_by = self.loop.time() + self.HEAD_S
        super().data_received(data)
        self._pass_on_body()
        if self._framing > MAX_HEAD_BYTES:
            self._refuse(*self._too_large())
        elif self._framing < 0:
            self._framing = 0

    def on_headers_complete(self) -> None:
        if self._measured(self.headers) > MAX_HEAD_BYTES:  # also of a request behind another one in what arrived
            self._raise(*self._too_large())
        if len(self.headers) > self.MAX_HEADERS:
            self._raise(431, f"Send at most {self.MAX_HEADERS} header fields.")
        if self.parser.should_upgrade() and self._has_body():  # the parser would take the body for the next request
            self._raise(400, "Send a body without the header 'Upgrade': use a client of HTTP/1.1.")
        if len(self.pipeline) >= self.MAX_PIPELINED:
            self._raise(400, "Wait for answers before you send more requests.")
        super().on_headers_complete()
        self._is_chunked = any(name == b"transfer-encoding" for name, _ in self.headers)
        self.headers = []  # of trailers, which must not become headers
        self._in_head, self._head_by = False, None
        self._body_bytes, self._chunks = 0, 0
        self._received, self._behind, self._silent_s, self._sending_s = 0, 0.0, 0.0, 0.0

    def on_chunk_header(self) -> None:
        """Called by the parser after each chunk's length and extensions."""
        self._framing -= _CHUNK_FRAMING
        if self._chunks > _TINY_CHUNKS and self._body_bytes < self._chunks * _CHUNK_BYTES:
            self._raise(400, f"Send larger chunks: at least {_CHUNK_BYTES} bytes on average.")
        self._chunks += 1
        self._new_chunks += 1

    def on_body(self, body: bytes) -> None:
        self._framing -= len(body)
        self._received += len(body)
        self._body_bytes += len(body)
        self._pieces.append(body)

    def _pass_on_body(self) -> None:
        """Pass on what has arrived of a body at once. uvicorn would copy all of it for every chunk."""
        if self._pieces:
            pieces, self._pieces = self._pieces, []
            if not self.transport.is_closing():
                super().on_body(b"".join(pieces))

    def on_message_complete(self) -> None:
        self._pass_on_body()
        if self.headers and self._measured([*self.scope["headers"], *self.headers]) > MAX_HEAD_BYTES:
            self._raise(*self._too_large())
        super().on_message_complete()
        self._framing, self._in_head, self._head_by = 0, True, None

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._idle_since = self.loop.time()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._read += _WRITTEN_BYTES

    def send_400_response(self, msg: str) -> None:
        """Answer what the parser or ``_raise`` refused. Called by uvicorn."""
        self._refuse(*(self._refusal or (400, "This is not an HTTP request.")))

    @property
    def _answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _raise(self, status: int, detail: str) -> None:
        self._refusal = (status, detail)
        raise ValueError(detail)  # stops the parser

    def _has_body(self) -> bool:
        fields = dict(self.headers)
        return b"transfer-encoding" in fields or fields.get(b"content-length", b"0") != b"0"

    def _measured(self, fields: list[tuple[bytes, bytes]]) -> int:
        """Return the bytes of the address and these fields. What arrived may have the next request in it."""
        return len(self.url) + sum(len(name) + len(value) + len(b": \r\n") for name, value in fields)

    def _too_large(self) -> tuple[int, str]:
        if not self._in_head:
            return 400, f"Headers, trailers and chunk extensions may have {MAX_HEAD_BYTES:,} bytes together."
        if len(self.url) > MAX_HEAD_BYTES // 2:
            return 414, f"The address may have {MAX_HEAD_BYTES:,} bytes, with all headers."
        return 431, f"The headers may have {MAX_HEAD_BYTES:,} bytes, with the address."

    def _refuse(self, status: int, detail: str) -> None:
        """Close the connection. The client is answered, unless an answer to it has begun or others are due before."""
        if self.transport.is_closing():
            return
        answering = self._answering
        if not answering or not (self._in_head or self.pipeline or self.cycle.response_started):
            self.transport.write(_answer(status, detail))
        if answering:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.transport.close()

    def _check(self) -> None:
        """End the connection if its client is too slow."""
        self._timer = self.loop.call_later(self.TICK_S, self._check)
        if self._reads_too_slowly():
            self.transport.abort()
        elif self._head_by is not None and self._waiting is None and self.loop.time() > self._head_by:
            if self._in_head and self._framing:
                self._refuse(408, f"Send the address and all headers within {self.HEAD_S:g} seconds.")
            self.transport.close()
        elif (patience := self._lost_patience()) is not None:
            self._refuse(408, self._too_slow(patience))

    def _reads_too_slowly(self) -> bool:
        size = self.transport.get_write_buffer_size()
        read = self._read + max(self._unread - size, 0)
        self._read, self._unread = 0, size
        self._unread_behind = max(self._unread_behind + self.READ_RATE * self.TICK_S - read, 0) if size else 0
        return self._unread_behind > self.READ_RATE * self.READ_GRACE_S

    def _lost_patience(self) -> BodyTimes | None:
        """Return the bounds that the present body exceeds; None if it does not, or is complete."""
        if not self._answering or not self.cycle.more_body:
            return None
        if self.flow.read_paused or self._waiting is not None or self.cycle.waiting_for_100_continue:
            return None  # the client waits for us
        patience = self.PATIENCE[self.cycle.scope["state"].get("body_kind", BodyKind.FILE)]
        received, self._received = self._received, 0
        behind = self._behind + self.RATE * self.TICK_S - received
        self._behind = max(behind, -self.RATE * patience.credit_s)
        self._silent_s = 0.0 if received else self._silent_s + self.TICK_S
        self._sending_s += self.TICK_S
        is_slow = self._behind > self.RATE * patience.grace_s
        is_late = self._silent_s > patience.idle_s or self._sending_s > patience.whole_s
        return patience if is_slow or is_late else None

    def _too_slow(self, patience: BodyTimes) -> str:
        rule = f"send at least {self.RATE} bytes in a second and pause for {patience.idle_s:g} seconds at most"
        whole = "" if math.isinf(patience.whole_s) else f", and all of it within {patience.whole_s:g} seconds"
        return f"The body arrived too slowly: {rule}{whole}."

    def _make_room(self) -> bool:
        """Close the longest idle connections, some at once so that they are not searched for each time."""
        others = (cast(BoundedConnection, other) for other in self.connections if other is not self)
        idle = sorted((other for other in others if not other._answering), key=lambda other: other._idle_since)
        for connection in idle[: max(self.MAX_CONNECTIONS // 20, 1)]:
            self.connections.discard(connection)
            connection.transport.close()
        return bool(idle)


def connection_for_this_process() -> type[BoundedConnection]:
    """Raise the number of files that this process may open, if need be, and return a protocol that stays below it."""
    if sys.platform == "win32":
        return BoundedConnection
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = BoundedConnection.MAX_CONNECTIONS + _OTHER_FILES
    if soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    class Connection(BoundedConnection):
        MAX_CONNECTIONS = max(min(BoundedConnection.MAX_CONNECTIONS, soft - _OTHER_FILES), 1)

    return Connection


def _answer(status: int, detail: str) -> bytes:
    headers = {"Connection": "close", HEADER: new_request_id()}
    response = problem_response(problem_of(HTTPException(status, detail)), headers)
    lines = b"".join(b"%b: %b\r\n" % header for header in response.raw_headers)
    return b"%b%b\r\n%b" % (STATUS_LINE[status], lines, bytes(response.body))
