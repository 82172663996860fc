"""A TCP proxy that plays a name which moves to another server: connections that were made before live on."""

import asyncio
from contextlib import suppress
from typing import Self
from urllib.parse import urlsplit


class MovingName:
    """``move`` leads new connections elsewhere; nothing is done to the old ones."""

    def __init__(self, url: str) -> None:
        self._target = urlsplit(url)
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        #: connections that were made since the name moved
        self.connections = 0

    @property
    def url(self) -> str:
        assert self._server is not None
        port = self._server.sockets[0].getsockname()[1]
        return self._target._replace(netloc=f":{self._target.password or ''}@127.0.0.1:{port}").geturl()

    def move(self, url: str) -> None:
        self._target, self.connections = urlsplit(url), 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        self.connections += 1
        try:
            with suppress(asyncio.CancelledError):
                answers, questions = await asyncio.open_connection(self._target.hostname, self._target.port)
                await asyncio.gather(_pump(reader, questions), _pump(answers, writer))
        finally:
            writer.close()
            self._connections.discard(task)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()
