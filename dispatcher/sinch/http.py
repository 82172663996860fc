"""Makes the requests to the fax API: time limit, credentials, repetition, and errors by status."""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from urllib.parse import quote

import httpx
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from dispatcher.core.failpoints import FailpointHook, no_failpoint
from dispatcher.sinch.auth import Auth
from dispatcher.sinch.body import Body, BodyStream, SendGuard
from dispatcher.sinch.errors import NotSentError, ResponseLostError, SinchError, UnreachableError
from dispatcher.sinch.pool import CONNECT_S, MAX_RESPONSE_BYTES, HttpPool, address
from dispatcher.sinch.responses import SinchResponse, error_from_response
from dispatcher.sinch.saving import FileKind, FileSink

#: maximum attempts of a request that is safe to repeat
MAX_ATTEMPTS = 3

#: default time limit of a call with small bodies
CALL_S = 30.0
#: default time limit of a call that transfers documents
TRANSFER_S = 300.0

_USER_AGENT = f"bulkfax/{version('bulkfax')}"
#: only the time limit of the call applies to reading and writing
_EXTENSIONS = {"timeout": {"connect": CONNECT_S, "read": None, "write": None, "pool": None}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request to the API.

    ``path`` is relative to the project.
    """

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    body: Body | None = None
    accept: str = "application/json"
    #: whether the request may be sent again if its response was lost
    repeatable: bool = False
    #: maximum size of the response, unless it goes to a file
    max_bytes: int = MAX_RESPONSE_BYTES


class SinchHttp:
    """Makes the requests of one project.

    All errors are ``SinchError``, except for ``CancelledError``.
    """

    def __init__(self, pool: HttpPool, auth: Auth, base_url: str, project_id: str) -> None:
        self._pool = pool
        self._auth = auth
        self._project = f"{base_url.rstrip('/')}/v3/projects/{path_segment(project_id)}"
        self._host = address(self._project).netloc.decode("ascii")

    async def aclose(self) -> None:
        """Close the connections."""
        await self._auth.aclose()
        await self._pool.aclose()

    async def prepare(self) -> None:
        """Fetch a token in advance.

        Raises:
            NotSentError: no token could be fetched.
            RefusedError: the credentials are invalid.
        """
        await self._auth.header()

    async def exchange(
        self,
        call: Call,
        *,
        total_s: float,
        may_send: Callable[[], bool] | None = None,
        into: FileSink | None = None,
        failpoint: FailpointHook = no_failpoint,
    ) -> SinchResponse:
        """Make a call and return its 2xx response.

        Args:
            call: The call.
            total_s: The time limit, with the token, connecting, repetitions and reading.
            may_send: Called right before the first byte of the body is sent; False stops the call.
            into: The file for the body of the response.
            failpoint: Called before the first and after the last byte of the body, for tests.

        Raises:
            NotSentError: the time limit was reached, or ``may_send`` returned False, before the body was started.
            SinchError: any other failure.
        """
        guard = SendGuard(may_send, failpoint)
        try:
            async with asyncio.timeout(total_s):
                response = await self._with_credentials(call, guard, into)
        except TimeoutError as error:
            raise _time_limit_error(guard, total_s) from error
        finally:
            guard.closed = True
        if (failure := error_from_response(response)) is not None:
            raise failure
        return response

    async def save(self, call: Call, target: Path, kind: FileKind, *, total_s: float) -> int:
        """Write the body of the response to a file and return its size in bytes.

        Raises:
            SaveError: the file cannot be written.
            UnreadableError: the body is of another kind or too large.
            SinchError: any other failure.
        """
        with FileSink(target, kind) as sink:
            await self.exchange(call, total_s=total_s, into=sink)
            sink.check_complete()
        return sink.size

    async def _with_credentials(self, call: Call, guard: SendGuard, into: FileSink | None) -> SinchResponse:
        header = await self._auth.header()
        response = await self._with_retries(call, header, guard, into)
        if response.status == 401 and self._auth.handle_unauthorized(
            header, response.headers.get("www-authenticate", "")
        ):
            # after a 401 nothing was accepted, so even a send may be repeated
            guard.started = False
            response = await self._with_retries(call, await self._auth.header(), guard, into)
        return response

    async def _with_retries(self, call: Call, header: str, guard: SendGuard, into: FileSink | None) -> SinchResponse:
        retryable = (UnreachableError, ResponseLostError) if call.repeatable else UnreachableError
        retrying = AsyncRetrying(
            stop=stop_after_attempt(MAX_ATTEMPTS),
            wait=wait_random_exponential(multiplier=0.2, max=1.0),
            retry=retry_if_exception_type(retryable),
            reraise=True,
        )
        return await retrying(self._attempt, call, header, guard, into)

    async def _attempt(self, call: Call, header: str, guard: SendGuard, into: FileSink | None) -> SinchResponse:
        guard.started = False
        return await self._pool.exchange(self._request(call, header, guard), guard, into=into, max_bytes=call.max_bytes)

    def _request(self, call: Call, header: str, guard: SendGuard) -> httpx.Request:
        headers = {
            "Host": self._host,
            "User-Agent": _USER_AGENT,
            "Accept": call.accept,
            "Accept-Encoding": "gzip",
            "Authorization": header,
        }
        # set even without a body, because the stream would be sent chunked otherwise
        headers["Content-Length"] = str(call.body.length) if call.body else "0"
        if call.body is not None:
            headers["Content-Type"] = call.body.content_type
        return httpx.Request(
            call.method,
            httpx.URL(self._project + call.path, params=call.query or None),
            headers=headers,
            stream=BodyStream(call.body, guard),
            extensions=_EXTENSIONS,
        )


def get_call(path: str, query: tuple[tuple[str, str], ...] = ()) -> Call:
    """Create a GET call, which is repeatable."""
    return Call(method="GET", path=path, query=query, repeatable=True)


def json_call(method: str, path: str, fields: Mapping[str, object]) -> Call:
    """Create a call with a JSON object as body."""
    body = Body((json.dumps(fields, separators=(",", ":")).encode("ascii"),), "application/json")
    return Call(method=method, path=path, body=body)


def path_segment(value: str) -> str:
    """Encode an ID, a number or an address as one segment of a path."""
    return quote(value, safe="")


def _time_limit_error(guard: SendGuard, total_s: float) -> SinchError:
    if guard.started:
        return ResponseLostError(f"no answer within {total_s:g} s")
    return NotSentError(f"not sent within {total_s:g} s")
