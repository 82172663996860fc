"""A TCP proxy in front of Redis that loses answers: the server has done what it was asked, and nobody hears of it."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Self
from urllib.parse import urlsplit


class LossyProxy:
    """``lose`` is asked for each answer; when it says yes the connection ends in place of the answer."""

    def __init__(self, url: str, lose: Callable[[], bool]) -> None:
        self.lose = lose
        #: answers lost so far
        self.lost = 0
        self._target = urlsplit(url)
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        assert self._server is not None
        port = self._server.sockets[0].getsockname()[1]
        return self._target._replace(netloc=f":{self._target.password or ''}@127.0.0.1:{port}").geturl()

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
        answers, questions = await asyncio.open_connection(self._target.hostname, self._target.port)
        asking = asyncio.create_task(_pump(reader, questions))
        try:
            await self._answer(answers, writer)
        finally:
            asking.cancel()
            questions.close()
            writer.close()
            self._connections.discard(task)

    async def _answer(self, answers: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while answer := await answers.read(65_536):
            if self.lose():
                self.lost += 1
                return
            writer.write(answer)
            await writer.drain()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()
