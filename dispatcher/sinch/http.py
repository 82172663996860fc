"""The single door for requests to the fax API: total time, credentials, repetition, and errors by status."""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from urllib.parse import quote

import httpx
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from dispatcher.core.failpoints import FailpointHook
from dispatcher.sinch.answers import Answer, error_of
from dispatcher.sinch.auth import Auth
from dispatcher.sinch.body import Body, BodyStream, Departure
from dispatcher.sinch.errors import AnswerLostError, NotSentError, SinchError, UnreachableError
from dispatcher.sinch.pool import CONNECT_S, HttpPool, address
from dispatcher.sinch.saving import FileSink

#: tries of one request where repeating it is safe
TRIES = 3

#: total time of a call with small bodies, where a caller names none
CALL_S = 30.0
#: total time of a call that moves documents
TRANSFER_S = 300.0

_USER_AGENT = f"bulkfax/{version('bulkfax')}"
#: reading and writing are bounded by the total time of the call alone
_EXTENSIONS = {"timeout": {"connect": CONNECT_S, "read": None, "write": None, "pool": None}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request, ``path`` below the project. ``repeatable``: to be asked twice does no harm."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    body: Body | None = None
    accept: str = "application/json"
    repeatable: bool = False


class SinchHttp:
    """Requests of one project. Raises only errors of this package, and CancelledError when cancelled."""

    def __init__(self, pool: HttpPool, auth: Auth, base_url: str, project_id: str) -> None:
        self._pool = pool
        self._auth = auth
        self._project = f"{base_url.rstrip('/')}/v3/projects/{segment(project_id)}"
        self._host = address(self._project).netloc.decode("ascii")

    async def aclose(self) -> None:
        await self._auth.aclose()
        await self._pool.aclose()

    async def prepare(self) -> None:
        """Raises NotSentError, or RefusedError for bad credentials."""
        await self._auth.header()

    async def exchange(
        self,
        call: Call,
        *,
        total_s: float,
        may_send: Callable[[], bool] | None = None,
        into: FileSink | None = None,
        at: FailpointHook | None = None,
    ) -> Answer:
        """Make a call and return its 2xx answer, within ``total_s`` in all: token, connecting, repetitions, reading.

        Raises the errors of this package: NotSentError when the time ran out before the body began to leave.
        """
        departure = Departure(may_send, at)
        try:
            async with asyncio.timeout(total_s):
                answer = await self._with_credentials(call, departure, into)
        except TimeoutError as exc:
            raise _out_of_time(departure, total_s) from exc
        finally:
            departure.over = True
        error = error_of(answer)
        if error is not None:
            raise error
        return answer

    async def save(self, call: Call, target: Path, *, total_s: float) -> int:
        """Write the body of the answer to a file and return its size. Raises SaveError too."""
        with FileSink(target) as sink:
            await self.exchange(call, total_s=total_s, into=sink)
        return sink.size

    async def _with_credentials(self, call: Call, departure: Departure, into: FileSink | None) -> Answer:
        header = await self._auth.header()
        answer = await self._tries(call, header, departure, into)
        if answer.status == 401 and self._auth.rejected(header, answer.headers.get("www-authenticate", "")):
            # a 401 took nothing, so that even a send may be made again
            departure.begun = False
            answer = await self._tries(call, await self._auth.header(), departure, into)
        return answer

    async def _tries(self, call: Call, header: str, departure: Departure, into: FileSink | None) -> Answer:
        harmless = (UnreachableError, AnswerLostError) if call.repeatable else UnreachableError
        tries = AsyncRetrying(
            stop=stop_after_attempt(TRIES),
            wait=wait_random_exponential(multiplier=0.2, max=1.0),
            retry=retry_if_exception_type(harmless),
            reraise=True,
        )
        return await tries(self._once, call, header, departure, into)

    async def _once(self, call: Call, header: str, departure: Departure, into: FileSink | None) -> Answer:
        departure.begun = False
        return await self._pool.exchange(self._request(call, header, departure), departure, into=into)

    def _request(self, call: Call, header: str, departure: Departure) -> httpx.Request:
        headers = {
            "Host": self._host,
            "User-Agent": _USER_AGENT,
            "Accept": call.accept,
            "Accept-Encoding": "gzip",
            "Authorization": header,
        }
        # said even where there is no body: its stream would be sent in chunks otherwise
        headers["Content-Length"] = str(call.body.length) if call.body else "0"
        if call.body is not None:
            headers["Content-Type"] = call.body.content_type
        return httpx.Request(
            call.method,
            httpx.URL(self._project + call.path, params=call.query or None),
            headers=headers,
            stream=BodyStream(call.body, departure),
            extensions=_EXTENSIONS,
        )


def get(path: str, query: tuple[tuple[str, str], ...] = ()) -> Call:
    """A read, which may be asked twice."""
    return Call(method="GET", path=path, query=query, repeatable=True)


def json_call(method: str, path: str, fields: Mapping[str, object]) -> Call:
    """A call with a JSON object as body."""
    body = Body((json.dumps(fields, separators=(",", ":")).encode("ascii"),), "application/json")
    return Call(method=method, path=path, body=body)


def segment(value: str) -> str:
    """An id, a number or an address as one segment of a path."""
    return quote(value, safe="")


def _out_of_time(departure: Departure, total_s: float) -> SinchError:
    if departure.begun:
        return AnswerLostError(f"no answer within {total_s:g} s")
    return NotSentError(f"not sent within {total_s:g} s")
