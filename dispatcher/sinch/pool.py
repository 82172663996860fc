"""Connections to the provider, each lent to one request at a time, and the end of foreign errors."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

import anyio
import httpx

from dispatcher.sinch.answers import Answer
from dispatcher.sinch.body import Departure
from dispatcher.sinch.errors import AnswerLostError, UnreachableError, UnreadableError
from dispatcher.sinch.saving import FileSink

#: an idle connection is given up before a server is likely to: the hastiest common ones close after 5 s. A POST
#: that meets a connection being closed ends as unclear, which costs minutes; a new connection costs milliseconds.
KEEPALIVE_S = 4.0

#: a connection, TLS included, is made within this time or tried again
CONNECT_S = 5.0

#: the largest answer that is read into memory; a list of 1,000 faxes has about 1 MB
LARGEST_ANSWER_BYTES = 64 * 1024 * 1024

#: what httpx lets through of the layers below it, next to its own
_FOREIGN = (
    httpx.HTTPError,
    httpx.StreamError,
    OSError,
    anyio.BrokenResourceError,
    anyio.ClosedResourceError,
    anyio.EndOfStream,
)


class HttpPool:
    """Up to ``connections`` requests at a time; more of them wait, first come first served.

    Every connection is an ``httpx`` client of its own, lent to one request at a time. A shared client looks at all
    its connections for each request (10 ms CPU a request at 64 of them, measured with httpcore 1.0.9), and hands
    one idle connection to two requests: the one that comes second starts over, for many seconds under load.

    Belongs to one event loop; close with aclose. ``transport`` replaces the network, for tests of logic.
    """

    def __init__(self, connections: int = 64, *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._room = asyncio.Semaphore(connections)
        self._transport = transport
        # the one used last is lent first: few stay warm, the others may go cold
        self._idle: list[httpx.AsyncClient] = []
        # 40 ms and more: made once, and not in the time of the first call
        self._ssl = httpx.create_ssl_context()

    async def aclose(self) -> None:
        """Close the idle connections. Those in use are closed by whoever uses them."""
        while self._idle:
            await self._idle.pop().aclose()

    @asynccontextmanager
    async def _stream(self, request: httpx.Request) -> AsyncIterator[httpx.Response]:
        """Send a request; its answer is open inside the block."""
        async with self._room:
            client = self._idle.pop() if self._idle else self._open()
            try:
                response = await client.send(request, stream=True)
                try:
                    yield response
                finally:
                    await response.aclose()
            except BaseException:
                # whatever state it is in: a new one costs 0.3 ms
                with suppress(*_FOREIGN):
                    await client.aclose()
                raise
            self._idle.append(client)

    async def exchange(self, request: httpx.Request, departure: Departure, *, into: FileSink | None = None) -> Answer:
        """Send a request and read the answer; the body of a 2xx goes ``into`` a file, if one is given.

        Raises UnreachableError, AnswerLostError, UnreadableError, SaveError.
        """
        with translated(departure):
            async with self._stream(request) as response:
                if into is not None and response.is_success:
                    body = await _save(response, into)
                else:
                    body = await _read(response)
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Answer(status=response.status_code, headers=headers, body=body)

    def _open(self) -> httpx.AsyncClient:
        limits = httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=KEEPALIVE_S)
        return httpx.AsyncClient(verify=self._ssl, limits=limits, transport=self._transport)


def address(url: str) -> httpx.URL:
    """A URL to call. Raises ValueError when it is not a whole http or https one."""
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as exc:
        raise ValueError(f"{url!r} is not a URL: {exc}") from exc
    if parsed.scheme not in {"http", "https"} or not parsed.host:
        raise ValueError(f"{url!r} is not a URL that starts with http:// or https://")
    return parsed


@contextmanager
def translated(departure: Departure) -> Iterator[None]:
    """Turn every foreign error into ours, once, with its cause kept. What it means depends on the departure."""
    try:
        yield
    except _FOREIGN as exc:
        told = str(exc) or type(exc).__name__
        if departure.begun:
            raise AnswerLostError(f"no answer: {told}") from exc
        raise UnreachableError(f"no connection: {told}") from exc


async def _save(response: httpx.Response, into: FileSink) -> bytes:
    into.restart()
    async for part in response.aiter_bytes():
        into.write(part)
    return b""


async def _read(response: httpx.Response) -> bytes:
    parts = []
    size = 0
    async for part in response.aiter_bytes():
        size += len(part)
        if size > LARGEST_ANSWER_BYTES:
            raise UnreadableError("the answer is too large", status=response.status_code)
        parts.append(part)
    return b"".join(parts)
