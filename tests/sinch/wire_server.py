"""A small TCP server whose behaviour a test defines byte by byte."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

Reader = asyncio.StreamReader
Writer = asyncio.StreamWriter


@dataclass
class ReceivedRequest:
    """A received request."""

    line: str
    headers: dict[str, str]
    body: bytes


@dataclass
class WireServer:
    """The state of a running server; ``requests`` are those that were read completely."""

    port: int = 0
    requests: list[ReceivedRequest] = field(default_factory=list)
    heads: list[str] = field(default_factory=list)
    connections: int = 0
    #: set when a request was read completely
    request_received: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        """The URL of the server."""
        return f"http://127.0.0.1:{self.port}"

    async def read(self, reader: Reader) -> ReceivedRequest:
        """Read a request.

        Raises:
            IncompleteReadError: the client disconnected before the end of the request.
        """
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        self.heads.append(head)
        line, *rest = head.rstrip().split("\r\n")
        headers = {name.lower(): value for name, _, value in (item.partition(": ") for item in rest)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        request = ReceivedRequest(line, headers, body)
        self.requests.append(request)
        self.request_received.set()
        return request


Behaviour = Callable[[WireServer, Reader, Writer], Awaitable[None]]


@asynccontextmanager
async def running_server(behave: Behaviour) -> AsyncIterator[WireServer]:
    """Run a server on a free port until the context ends; ``behave`` handles each connection."""
    server = WireServer()
    tasks: set[asyncio.Task[None]] = set()

    async def handle(reader: Reader, writer: Writer) -> None:
        server.connections += 1
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            with suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
                await behave(server, reader, writer)
        finally:
            tasks.discard(task)
            writer.close()

    listener = await asyncio.start_server(handle, "127.0.0.1", 0)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await listener.wait_closed()


def reply(status: int, body: bytes = b"", **headers: str) -> bytes:
    """Return a complete response; ``_`` in header names stands for ``-``."""
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def respond_with(*responses: bytes) -> Behaviour:
    """Respond to each request with the next of ``responses``; the last one repeats."""
    remaining = list(responses)

    async def behave(server: WireServer, reader: Reader, writer: Writer) -> None:
        while True:
            await server.read(reader)
            writer.write(remaining.pop(0) if len(remaining) > 1 else remaining[0])
            await writer.drain()

    return behave


def reset(writer: Writer) -> None:
    """Close the connection with a TCP reset."""
    raw = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def closed_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
