"""A tiny server that answers, or misbehaves, byte by byte as a test tells it to."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

Reader = asyncio.StreamReader
Writer = asyncio.StreamWriter


@dataclass
class Seen:
    """A request as it came."""

    line: str
    headers: dict[str, str]
    body: bytes


@dataclass
class WireServer:
    """``behave`` gets each connection; ``seen`` holds the requests that were read whole."""

    port: int = 0
    seen: list[Seen] = field(default_factory=list)
    heads: list[str] = field(default_factory=list)
    connections: int = 0
    #: set when a whole request was read
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def read(self, reader: Reader) -> Seen:
        """One whole request. Raises IncompleteReadError when the client goes away before its end."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        self.heads.append(head)
        line, *rest = head.rstrip().split("\r\n")
        headers = {name.lower(): value for name, _, value in (item.partition(": ") for item in rest)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        seen = Seen(line, headers, body)
        self.seen.append(seen)
        self.arrived.set()
        return seen


Behaviour = Callable[[WireServer, Reader, Writer], Awaitable[None]]


@asynccontextmanager
async def serving(behave: Behaviour) -> AsyncIterator[WireServer]:
    """A server on a free port for the length of the block."""
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
    """A whole answer; header names are written with ``_`` for ``-``."""
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def answering(*answers: bytes) -> Behaviour:
    """Answers each request of each connection with the next of ``answers``, the last one for ever."""
    left = list(answers)

    async def behave(server: WireServer, reader: Reader, writer: Writer) -> None:
        while True:
            await server.read(reader)
            writer.write(left.pop(0) if len(left) > 1 else left[0])
            await writer.drain()

    return behave


def reset(writer: Writer) -> None:
    """Cut the connection with a TCP reset."""
    raw = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def closed_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
