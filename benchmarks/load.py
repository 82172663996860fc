"""A load generator for HTTP/1.1 that costs little: prepared requests over connections that stay open."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast
from urllib.parse import urlsplit

import uvloop

_CONNECT_S, _ANSWER_S = 10.0, 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What a load got. Times are seconds."""

    seconds: float
    statuses: Counter[int]

    @property
    def good(self) -> int:
        return sum(count for status, count in self.statuses.items() if status < 300)

    @property
    def per_second(self) -> float:
        return self.good / self.seconds


def post(url: str, body: bytes, *, content_type: str, authorization: str = "") -> bytes:
    """A whole request, ready to be written."""
    parts = urlsplit(url)
    lines = [
        f"POST {parts.path} HTTP/1.1",
        f"Host: {parts.netloc}",
        f"Content-Type: {content_type}",
        f"Content-Length: {len(body)}",
    ]
    if authorization:
        lines.append(f"Authorization: {authorization}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def send_all(url: str, requests: Iterator[bytes], connections: int) -> Answered:
    """Send every request, each connection one after the other. Raises OSError and TimeoutError."""
    return uvloop.run(flood(url, requests, connections))


async def flood(url: str, requests: Iterator[bytes], connections: int) -> Answered:
    """The same, on a loop that runs already."""
    parts = urlsplit(url)
    assert parts.hostname, url
    assert parts.port, url
    loop = asyncio.get_running_loop()
    opened = []
    async with asyncio.timeout(_CONNECT_S):
        for _ in range(connections):
            _, connection = await loop.create_connection(_Connection, parts.hostname, parts.port)
            opened.append(connection)
    statuses: Counter[int] = Counter()
    began_s = time.perf_counter()
    await asyncio.gather(*(_talk(connection, requests, statuses) for connection in opened))
    seconds = time.perf_counter() - began_s
    for connection in opened:
        connection.close()
    return Answered(seconds=seconds, statuses=statuses)


async def _talk(connection: "_Connection", requests: Iterator[bytes], statuses: Counter[int]) -> None:
    for request in requests:
        async with asyncio.timeout(_ANSWER_S):
            statuses[await connection.ask(request)] += 1


class _Connection(asyncio.Protocol):
    """One request at a time; of the answer only the status is kept."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[int] | None = None
        self._head = b""
        self._left = -1
        self._status = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by inheritance

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer and not self._answer.done():
            self._answer.set_exception(exc or ConnectionResetError("the connection was closed"))

    def close(self) -> None:
        assert self._transport is not None
        self._transport.close()

    def ask(self, request: bytes) -> asyncio.Future[int]:
        assert self._transport is not None
        self._head, self._left = b"", -1
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return self._answer

    def data_received(self, data: bytes) -> None:
        if self._left >= 0:
            self._left -= len(data)
        else:
            self._head += data
            self._read_head()
        if self._left == 0 and self._answer and not self._answer.done():
            self._answer.set_result(self._status)

    def _read_head(self) -> None:
        head, end, body = self._head.partition(b"\r\n\r\n")
        if end:
            self._status = int(head[9:12])
            self._left = _content_length(head) - len(body)


def _content_length(head: bytes) -> int:
    _, _, value = head.lower().partition(b"content-length:")
    return int(value.partition(b"\r\n")[0] or 0)
