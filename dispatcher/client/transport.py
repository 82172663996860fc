"""One request to the API: sent, repeated where that is harmless, and its answer turned into data or one error.

Reads and most commands are repeated by their nature, and everything that creates by its ``Idempotency-Key``, which
stays the same over the repeats. A command that lets something send again is sent once: somebody may stop it meanwhile.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import httpx
from tenacity import RetryCallState, Retrying, retry_if_exception

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
from dispatcher.client.waiting import Reading, each

Result = TypeVar("Result")


class Transport:
    """Sends requests to ``url``; gives up after ``patience_s`` of connection errors and answers of 408, 429 and 503.

    An address that never answered is given up sooner, so that a wrong one is reported at once.
    """

    def __init__(self, url: str, api_key: str, patience_s: float, transport: httpx.BaseTransport | None) -> None:
        self.url = url
        self._patience_s = patience_s
        self._answered = False
        try:
            self._http = httpx.Client(transport=transport, **http_options(url, api_key))
        except (httpx.InvalidURL, TypeError) as error:
            raise no_address(url) from error

    def close(self) -> None:
        self._http.close()

    def call(self, method: str, path: str, *, key: str = "", once: bool = False, **arguments: Any) -> Any:
        """Send a request and return the JSON of the answer, or None when it has no content.

        With ``once`` it is not sent again if it may have been carried out. Arguments are httpx's. Raises ClientError.
        """
        headers = {"Idempotency-Key": key} if key else {}
        return self._repeated(method, path, _json, lambda: {"headers": headers, **arguments}, once=once)

    def upload(self, path: str, headers: Mapping[str, str], content: Content, progress: Progress) -> Any:
        """POST a body piece by piece, from its beginning again for each try; returns the JSON of the answer."""
        return self._repeated("POST", path, _json, lambda: {"headers": headers, "content": _pieces(content, progress)})

    def save(self, path: str, file: Path, progress: LineProgress) -> int:
        """Write the answer to a GET to ``file`` and return its bytes. The file appears whole or not at all.

        Raises BadInput if the file cannot be written.
        """

        def write(response: httpx.Response) -> int:
            with saved_whole(file, progress) as saving:
                for piece in response.iter_bytes():
                    saving.write(piece)
            return saving.size

        return self._repeated("GET", path, write, dict)

    def _repeated(
        self,
        method: str,
        path: str,
        read: Reading[Result],
        request: Callable[[], Mapping[str, Any]],
        *,
        once: bool = False,
    ) -> Result:
        """Send a request whose arguments ``request`` makes anew for each try, and ``read`` its open answer."""
        repeat = Retrying(
            retry=retry_if_exception(partial(is_repeated, once=once)),
            wait=pause,
            stop=self._is_out_of_patience,
            before_sleep=self._say_that_it_waits,
            reraise=True,
        )
        try:
            result: Result = repeat(self._once, method, path, read, request)
        except REPEATED as error:
            if once:
                raise unanswered(error) from error
            raise
        return result

    def _once(self, method: str, path: str, read: Reading[Result], request: Callable[[], Mapping[str, Any]]) -> Result:
        try:
            with self._http.stream(method, path, **request()) as response:
                self._answered = True
                if response.is_success:
                    return read(response)
                response.read()
                raise error_of_answer(response)
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise error_of_transport(error, self.url) from error

    def _is_out_of_patience(self, state: RetryCallState) -> bool:
        return is_out_of_patience(state, self._patience_s, answered=self._answered)

    def _say_that_it_waits(self, state: RetryCallState) -> None:
        say_that_it_waits(state, self._patience_s, answered=self._answered)


def _json(response: httpx.Response) -> Any:
    response.read()
    return json_of(response)


def _pieces(content: Content, progress: Progress) -> Iterator[bytes]:
    sent = 0
    for piece in each(content.pieces()):
        yield piece
        sent += len(piece)
        progress(sent, content.size)
