"""One request to the API: sent, repeated where that is harmless, and its answer turned into data or one error.

Every request may be repeated: reads and commands by their nature, everything that creates by its
``Idempotency-Key``, which stays the same over the repeats.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import httpx
from pydantic import ValidationError
from tenacity import RetryCallState, Retrying, retry_if_exception_type, wait_exponential, wait_random

from dispatcher.client.errors import ClientError, NotOurApi, NotReachable, Unavailable, error_of
from dispatcher.schema.responses import Fault, Problem

#: how long an address that never answered is tried
FIRST_CONTACT_S = 2.0
_WAIT = wait_exponential(multiplier=0.2, max=3.0) + wait_random(0.0, 0.2)
#: wait before a repeat when the API is away and names no time
_RETRY_AFTER_DEFAULT_S = 2.0

Result = TypeVar("Result")

#: warns when an API that has answered before does not, and is asked again for some time
log = logging.getLogger("bulkfax.client")
log.addHandler(logging.NullHandler())


class Transport:
    """Sends requests to ``url``; gives up after ``patience_s`` of connection errors and answers of 408 and 503.

    An address that never answered is given up sooner, so that a wrong one is reported at once.
    """

    def __init__(self, url: str, api_key: str, patience_s: float, transport: httpx.BaseTransport | None) -> None:
        self.url = url
        self._patience_s = patience_s
        self._answered = False
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        try:
            self._http = httpx.Client(
                base_url=url, headers=headers, timeout=httpx.Timeout(60.0, connect=5.0), transport=transport
            )
        except (httpx.InvalidURL, TypeError) as error:
            raise NotReachable(f"{url} is not an address: set BULKFAX_API_URL, as in http://127.0.0.1:8080") from error

    def close(self) -> None:
        self._http.close()

    def call(self, method: str, path: str, *, key: str = "", **arguments: Any) -> Any:
        """Send a request and return the JSON of the answer, or None when it has no content.

        Arguments are httpx's. Raises ClientError.
        """
        headers = {"Idempotency-Key": key} if key else {}
        return self.stream(method, path, _json, request=lambda: {"headers": headers, **arguments})

    def upload(self, path: str, headers: Mapping[str, str], pieces: Callable[[], Iterator[bytes]]) -> Any:
        """POST a body piece by piece, from its beginning again for each try; returns the JSON of the answer."""
        return self.stream("POST", path, _json, request=lambda: {"headers": headers, "content": pieces()})

    def stream(
        self,
        method: str,
        path: str,
        read: Callable[[httpx.Response], Result],
        *,
        request: Callable[[], Mapping[str, Any]] = dict,
    ) -> Result:
        """Send a request whose arguments ``request`` makes anew for each try, and ``read`` its open answer."""
        again = Retrying(
            retry=retry_if_exception_type((NotReachable, Unavailable)),
            wait=_pause,
            stop=self._out_of_patience,
            before_sleep=self._say_that_it_waits,
            reraise=True,
        )
        result: Result = again(self._once, method, path, read, request)
        return result

    def _once(
        self,
        method: str,
        path: str,
        read: Callable[[httpx.Response], Result],
        request: Callable[[], Mapping[str, Any]],
    ) -> Result:
        try:
            with self._http.stream(method, path, **request()) as response:
                self._answered = True
                if response.is_success:
                    return read(response)
                response.read()
                raise self._error(response)
        except httpx.UnsupportedProtocol as error:
            raise NotOurApi(
                f"{self.url} is not a web address: set BULKFAX_API_URL, as in http://127.0.0.1:8080"
            ) from error
        except httpx.InvalidURL as error:
            raise ClientError("an id has characters that no id of this API has: copy it from a list") from error
        except httpx.TransportError as error:
            raise self._unreachable(error) from error

    def _out_of_patience(self, state: RetryCallState) -> bool:
        assert state.outcome is not None
        known = self._answered or isinstance(state.outcome.exception(), Unavailable)
        patience_s = self._patience_s if known else min(self._patience_s, FIRST_CONTACT_S)
        return (state.seconds_since_start or 0.0) + state.upcoming_sleep > patience_s

    def _say_that_it_waits(self, state: RetryCallState) -> None:
        assert state.outcome is not None
        error = state.outcome.exception()
        if state.attempt_number == 1 and (self._answered or isinstance(error, Unavailable)):
            log.warning("%s; it is asked again for %g s", str(error).rstrip("."), self._patience_s)

    def _unreachable(self, error: httpx.TransportError) -> NotReachable:
        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
            return NotReachable(
                f"nothing answers at {self.url}: start the API with `bulkfax up`, "
                f"or set BULKFAX_API_URL to where it runs"
            )
        return NotReachable(f"the connection to {self.url} broke ({type(error).__name__}): is the API still running?")

    def _error(self, response: httpx.Response) -> ClientError:
        problem = _problem(response)
        if problem is None:
            return NotOurApi(
                f"{response.request.url} answered {response.status_code} in a form that this API does not use: "
                f"does BULKFAX_API_URL point at bulkfax?"
            )
        error = error_of(problem)
        if isinstance(error, Unavailable):
            error.retry_after_s = _seconds(response.headers.get("Retry-After"))
        return error


def _json(response: httpx.Response) -> Any:
    response.read()
    if response.status_code == httpx.codes.NO_CONTENT or not response.content:
        return None
    try:
        return response.json()
    except ValueError as error:
        raise NotOurApi(
            f"{response.request.url} did not answer with JSON: does BULKFAX_API_URL point at bulkfax?"
        ) from error


def _problem(response: httpx.Response) -> Problem | None:
    """The problem document of an answer, or None when it holds none."""
    try:
        body = response.json()
    except ValueError:
        return None
    if not isinstance(body, dict) or not ({"title", "detail"} & body.keys()):
        return None
    errors = body.get("errors")
    return Problem(
        status=response.status_code,
        title=str(body.get("title", "")),
        detail=str(body.get("detail", "")),
        type=str(body.get("type", "")),
        errors=tuple(map(_fault, errors)) if isinstance(errors, list) else (),
    )


def _fault(item: object) -> Fault:
    """Read one error of a problem document; an odd one counts as a fault without a text."""
    try:
        return Fault.model_validate(item)
    except ValidationError:
        return Fault(message="")


def _pause(state: RetryCallState) -> float:
    assert state.outcome is not None
    error = state.outcome.exception()
    if isinstance(error, Unavailable):
        return error.retry_after_s
    return _WAIT(state)


def _seconds(text: str | None) -> float:
    """Seconds of a Retry-After header; dates, which this API never sends, count as none."""
    return float(text) if text and text.isascii() and text.isdigit() else _RETRY_AFTER_DEFAULT_S
