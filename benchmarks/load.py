"""A cheap HTTP/1.1 load generator: it writes prepared requests to persistent connections."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast
from urllib.parse import urlsplit

import uvloop

_CONNECT_S, _RESPONSE_S = 10.0, 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadResult:
    """Duration of a load, and the number of responses by status."""

    seconds: float
    statuses: Counter[int]

    @property
    def successful(self) -> int:
        """The number of responses with a status below 300."""
        return sum(count for status, count in self.statuses.items() if status < 300)

    @property
    def per_second(self) -> float:
        """Successful responses per second."""
        return self.successful / self.seconds


def post(url: str, body: bytes, *, content_type: str, authorization: str = "") -> bytes:
    """Return the bytes of a complete POST request."""
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


def send_all(url: str, requests: Iterator[bytes], connections: int) -> LoadResult:
    """Send every request, one at a time on each connection.

    Raises:
        OSError: A connection failed.
        TimeoutError: A connection or a response took too long.
    """
    return uvloop.run(send_all_async(url, requests, connections))


async def send_all_async(url: str, requests: Iterator[bytes], connections: int) -> LoadResult:
    """Do what ``send_all`` does, on the running event loop."""
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
    await asyncio.gather(*(_send_on(connection, requests, statuses) for connection in opened))
    seconds = time.perf_counter() - began_s
    for connection in opened:
        connection.close()
    return LoadResult(seconds=seconds, statuses=statuses)


async def _send_on(connection: "_Connection", requests: Iterator[bytes], statuses: Counter[int]) -> None:
    for request in requests:
        async with asyncio.timeout(_RESPONSE_S):
            statuses[await connection.send(request)] += 1


class _Connection(asyncio.Protocol):
    """Sends one request at a time and keeps only the status of the response."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._response: asyncio.Future[int] | None = None
        self._head = b""
        self._remaining = -1
        self._status = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's transport is no subclass

    def connection_lost(self, exc: Exception | None) -> None:
        if self._response and not self._response.done():
            self._response.set_exception(exc or ConnectionResetError("the connection was closed"))

    def close(self) -> None:
        assert self._transport is not None
        self._transport.close()

    def send(self, request: bytes) -> asyncio.Future[int]:
        assert self._transport is not None
        self._head, self._remaining = b"", -1
        self._response = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return self._response

    def data_received(self, data: bytes) -> None:
        if self._remaining >= 0:
            self._remaining -= len(data)
        else:
            self._head += data
            self._read_head()
        if self._remaining == 0 and self._response and not self._response.done():
            self._response.set_result(self._status)

    def _read_head(self) -> None:
        head, end, body = self._head.partition(b"\r\n\r\n")
        if end:
            self._status = int(head[9:12])
            self._remaining = _content_length(head) - len(body)


def _content_length(head: bytes) -> int:
    _, _, value = head.lower().partition(b"content-length:")
    return int(value.partition(b"\r\n")[0] or 0)
