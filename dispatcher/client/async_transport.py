"""One request to the API, for asyncio: see ``transport``.

Generated from ``transport.py`` by ``./run generate``; change that.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import httpx
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception

from dispatcher.client.answers import (
    REPEATED,
    error_of_answer,
    error_of_transport,
    http_options,
    is_out_of_patience,
    is_repeated,
    json_of,
    no_address,
    pause,
    say_that_it_waits,
    unanswered,
)
from dispatcher.client.contents import Content, LineProgress, Progress, saved_whole
from dispatcher.client.waiting import AsyncReading, async_each

Result = TypeVar("Result")


class AsyncTransport:
    """Sends requests to ``url``; gives up after ``patience_s`` of connection errors and answers of 408, 429 and 503.

    An address that never answered is given up sooner, so that a wrong one is reported at once.
    """

    def __init__(self, url: str, api_key: str, patience_s: float, transport: httpx.AsyncBaseTransport | None) -> None:
        self.url = url
        self._patience_s = patience_s
        self._answered = False
        try:
            self._http = httpx.AsyncClient(transport=transport, **http_options(url, api_key))
        except (httpx.InvalidURL, TypeError) as error:
            raise no_address(url) from error

    async def aclose(self) -> None:
        await self._http.aclose()

    async def call(self, method: str, path: str, *, key: str = "", once: bool = False, **arguments: Any) -> Any:
        """Send a request and return the JSON of the answer, or None when it has no content.

        With ``once`` it is not sent again if it may have been carried out. Arguments are httpx's. Raises ClientError.
        """
        headers = {"Idempotency-Key": key} if key else {}
        return await self._repeated(method, path, _json, lambda: {"headers": headers, **arguments}, once=once)

    async def upload(self, path: str, headers: Mapping[str, str], content: Content, progress: Progress) -> Any:
        """POST a body piece by piece, from its beginning again for each try; returns the JSON of the answer."""
        return await self._repeated(
            "POST", path, _json, lambda: {"headers": headers, "content": _pieces(content, progress)}
        )

    async def save(self, path: str, file: Path, progress: LineProgress) -> int:
        """Write the answer to a GET to ``file`` and return its bytes. The file appears whole or not at all.

        Raises BadInput if the file cannot be written.
        """

        async def write(response: httpx.Response) -> int:
            with saved_whole(file, progress) as saving:
                async for piece in response.aiter_bytes():
                    saving.write(piece)
            return saving.size

        return await self._repeated("GET", path, write, dict)

    async def _repeated(
        self,
        method: str,
        path: str,
        read: AsyncReading[Result],
        request: Callable[[], Mapping[str, Any]],
        *,
        once: bool = False,
    ) -> Result:
        """Send a request whose arguments ``request`` makes anew for each try, and ``read`` its open answer."""
        repeat = AsyncRetrying(
            retry=retry_if_exception(partial(is_repeated, once=once)),
            wait=pause,
            stop=self._is_out_of_patience,
            before_sleep=self._say_that_it_waits,
            reraise=True,
        )
        try:
            result: Result = await repeat(self._once, method, path, read, request)
        except REPEATED as error:
            if once:
                raise unanswered(error) from error
            raise
        return result

    async def _once(
        self, method: str, path: str, read: AsyncReading[Result], request: Callable[[], Mapping[str, Any]]
    ) -> Result:
        try:
            async with self._http.stream(method, path, **request()) as response:
                self._answered = True
                if response.is_success:
                    return await read(response)
                await response.aread()
                raise error_of_answer(response)
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise error_of_transport(error, self.url) from error

    def _is_out_of_patience(self, state: RetryCallState) -> bool:
        return is_out_of_patience(state, self._patience_s, answered=self._answered)

    def _say_that_it_waits(self, state: RetryCallState) -> None:
        say_that_it_waits(state, self._patience_s, answered=self._answered)


async def _json(response: httpx.Response) -> Any:
    await response.aread()
    return json_of(response)


async def _pieces(content: Content, progress: Progress) -> AsyncIterator[bytes]:
    sent = 0
    async for piece in async_each(content.pieces()):
        yield piece
        sent += len(piece)
        progress(sent, content.size)
