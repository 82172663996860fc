"""Connections to the provider, each lent to one request at a time, and the end of foreign errors."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.request import getproxies

from dispatcher.sinch.quick_aiohttp import aiohttp  # isort: skip  # before whoever imports it otherwise
import httpx
from httpx_aiohttp import AiohttpTransport

from dispatcher.sinch.answers import Answer
from dispatcher.sinch.body import TOO_LATE, Departure
from dispatcher.sinch.coerce import clean
from dispatcher.sinch.errors import AnswerLostError, NotSentError, UnreachableError, UnreadableError
from dispatcher.sinch.saving import FileSink

#: an idle connection is given up before a server is likely to: the hastiest common ones close after 5 s. A POST
#: that meets a connection being closed ends as unclear, which costs minutes; a new connection costs milliseconds.
KEEPALIVE_S = 4.0

#: a connection, TLS included, is made within this time or tried again
CONNECT_S = 5.0

#: the largest answer that is read into memory; a list of 1,000 faxes has about 1 MB
LARGEST_ANSWER_BYTES = 64 * 1024 * 1024

#: characters of an error's text that are passed on: it may quote what came
_REASON_CHARS = 300

#: what httpx lets through of the layers below it, next to its own
_FOREIGN = (httpx.HTTPError, httpx.StreamError, aiohttp.ClientError, OSError)


class HttpPool:
    """Up to ``connections`` requests at a time; more of them wait, first come first served.

    aiohttp carries the requests below httpx: httpx's own pool looks at all connections for each request, and needs more
    processor time (docs/decisions/0005-what-carries-the-requests.md).

    Belongs to one event loop; close with aclose. ``transport`` replaces the network, for tests of logic.
    """

    def __init__(
        self,
        connections: int = 64,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self._connections = connections
        # 40 ms and more: made once, and not in the time of the first call
        self._ssl = context or httpx.create_ssl_context()
        # used without httpx's client: its cookies, redirects and authentication cost a fifth of a request
        self._transport = transport or AiohttpTransport(verify=self._ssl, client=self._session)

    def beside(self, connections: int) -> "HttpPool":
        """A pool with connections of its own, so that neither waits for those of the other."""
        return HttpPool(connections, context=self._ssl)

    async def aclose(self) -> None:
        """Close the connections, those in use too."""
        await self._transport.aclose()

    async def exchange(self, request: httpx.Request, departure: Departure, *, into: FileSink | None = None) -> Answer:
        """Send a request and read the answer; the body of a 2xx goes ``into`` a file, if one is given.

        Raises UnreachableError, NotSentError, AnswerLostError, UnreadableError, SaveError.
        """
        with translated(departure):
            response = await self._transport.handle_async_request(request)
            try:
                if into is not None and response.is_success:
                    body = await _save(response, into)
                else:
                    body = await _read(response)
            finally:
                await response.aclose()
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Answer(status=response.status_code, headers=headers, body=body)

    def _session(self) -> aiohttp.ClientSession:
        """Made at the first request, since it belongs to the event loop that runs then."""
        connector = aiohttp.TCPConnector(limit=self._connections, keepalive_timeout=KEEPALIVE_S, ssl=self._ssl)
        # aiohttp reads the environment anew, in a thread, for each request: only where it says something
        proxies = bool(getproxies())
        return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=proxies)


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
        told = clean(str(exc) or type(exc).__name__, _REASON_CHARS)
        if departure.refused:
            raise NotSentError(TOO_LATE) from exc
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
