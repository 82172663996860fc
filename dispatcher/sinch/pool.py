"""The pool of connections to the provider, and the translation of HTTP errors."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.request import getproxies

from dispatcher.sinch.quick_aiohttp import aiohttp  # isort: skip  # before any other import of aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

from dispatcher.sinch.body import TOO_LATE, SendGuard
from dispatcher.sinch.coerce import explanation
from dispatcher.sinch.errors import NotSentError, ResponseLostError, TooLargeError, UnreachableError, UnreadableError
from dispatcher.sinch.responses import SinchResponse
from dispatcher.sinch.saving import FileSink

#: An idle connection is closed after this time. Common servers close it after 5 s at the earliest. A POST on a
#: connection that the server is closing becomes unclear, which costs minutes; a new connection costs milliseconds.
KEEPALIVE_S = 4.0

#: time limit for a connection, with TLS; the attempt is repeated afterwards
CONNECT_S = 5.0

#: maximum bytes of a response in memory, decompressed; a list of 1,000 faxes has about 1 MB
MAX_RESPONSE_BYTES = 16 * 1024 * 1024
#: of the body of an error, so much is read; its status says what matters
MAX_ERROR_BYTES = 64 * 1024
#: encodings of a response. A chunk of 16 kB becomes at most 16 MB by gzip once; by two encodings, or others, anything
_ENCODINGS = {"", "identity", "gzip"}

#: maximum characters of an error message that are kept, because it may quote the response
_REASON_CHARS = 300

#: errors of httpx, and of the layers below it that httpx does not translate
_HTTP_ERRORS = (httpx.HTTPError, httpx.StreamError, aiohttp.ClientError, OSError)


class HttpPool:
    """A connection pool for one event loop.

    Requests beyond ``connections`` wait in order of arrival.

    It uses httpx with aiohttp as transport. The pool of httpx itself checks all connections for each request and needs
    more processor time (docs/decisions/0005-what-carries-the-requests.md).

    Args:
        connections: The maximum number of concurrent requests.
        transport: Replaces the network, for tests.
        context: The TLS context; None: a new one with the usual certificates.
    """

    def __init__(
        self,
        connections: int = 64,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        context: ssl.SSLContext | None = None,
    ) -> None:
        #: maximum number of concurrent requests
        self.connections = connections
        #: requests that are running or wait for a connection
        self.running = 0
        # created here because it takes at least 40 ms, which would delay the first call
        self._ssl = context or httpx.create_ssl_context()
        # used without httpx.AsyncClient, whose cookies, redirects and authentication cost a fifth of a request
        self._transport = transport or AiohttpTransport(verify=self._ssl, client=self._session)

    def separate_pool(self, connections: int) -> "HttpPool":
        """Create another pool with the same certificates, whose requests do not wait for those of this pool."""
        return HttpPool(connections, context=self._ssl)

    async def aclose(self) -> None:
        """Close all connections, including those in use."""
        await self._transport.aclose()

    async def exchange(
        self,
        request: httpx.Request,
        guard: SendGuard,
        *,
        into: FileSink | None = None,
        max_bytes: int = MAX_RESPONSE_BYTES,
    ) -> SinchResponse:
        """Send a request and read the response.

        Args:
            request: The request.
            guard: Records whether the body was started.
            into: The file for the body of a 2xx response; None: it is returned.
            max_bytes: The maximum size of a 2xx response that is returned, decompressed.

        Raises:
            UnreachableError: no connection could be established.
            NotSentError: the guard did not allow the body to start.
            ResponseLostError: no complete response arrived.
            TooLargeError: the response is too large.
            UnreadableError: the response has another encoding than gzip, or is no file of its kind.
            SaveError: the file cannot be written.
        """
        self.running += 1
        try:
            with translate_errors(guard):
                response = await self._transport.handle_async_request(request)
                try:
                    body = await _body(response, into, max_bytes)
                finally:
                    await response.aclose()
        finally:
            self.running -= 1
        headers = {name.lower(): value for name, value in response.headers.items()}
        return SinchResponse(status=response.status_code, headers=headers, body=body)

    def _session(self) -> aiohttp.ClientSession:
        """Create the session.

        It is called by the first request, because the session belongs to the running event loop.
        """
        connector = aiohttp.TCPConnector(limit=self.connections, keepalive_timeout=KEEPALIVE_S, ssl=self._ssl)
        # with trust_env, aiohttp reads the environment in a thread for each request: only if it names a proxy
        has_proxies = bool(getproxies())
        return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=has_proxies)


def address(url: str) -> httpx.URL:
    """Parse a URL.

    Raises:
        ValueError: it is not an absolute http or https URL.
    """
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise ValueError(f"{url!r} is not a URL: {error}") from error
    if parsed.scheme not in {"http", "https"} or not parsed.host:
        raise ValueError(f"{url!r} is not a URL that starts with http:// or https://")
    return parsed


@contextmanager
def translate_errors(guard: SendGuard) -> Iterator[None]:
    """Translate HTTP errors to ``SinchError``; the guard tells whether the provider may have acted on the request."""
    try:
        yield
    except _HTTP_ERRORS as error:
        reason = explanation(str(error) or type(error).__name__, _REASON_CHARS)
        if guard.refused:
            raise NotSentError(TOO_LATE) from error
        if guard.started:
            raise ResponseLostError(f"no answer: {reason}") from error
        raise UnreachableError(f"no connection: {reason}") from error


async def _body(response: httpx.Response, into: FileSink | None, max_bytes: int) -> bytes:
    is_encoded = response.headers.get("content-encoding", "").strip().lower() not in _ENCODINGS
    if not response.is_success:
        return b"" if is_encoded else await _read(response, MAX_ERROR_BYTES)
    if is_encoded:
        raise UnreadableError("the answer has an unknown encoding", status=response.status_code)
    if into is not None:
        await _save(response, into)
        return b""
    body = await _read(response, max_bytes + 1)
    if len(body) > max_bytes:
        raise TooLargeError("the answer is too large", status=response.status_code)
    return body


async def _save(response: httpx.Response, into: FileSink) -> None:
    into.restart(response.headers.get("content-type", ""))
    async for chunk in response.aiter_bytes():
        into.write(chunk)


async def _read(response: httpx.Response, max_bytes: int) -> bytes:
    """Read the body up to ``max_bytes`` and leave the rest."""
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) >= max_bytes:
            break
    return bytes(body[:max_bytes])
