"""Sends deliveries over HTTP to addresses of strangers.

Each delivery has a connection of its own. The name is resolved for it, and only addresses that may be called are
connected to, so a name that changes its meaning between a check and the connection changes nothing. Redirects are not
followed, proxies of the environment are not used, and of an answer nothing but its head is read.
"""

import asyncio
import socket
import ssl
from collections.abc import Mapping

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from dispatcher.core.public_address import is_public, webhook_fault
from dispatcher.core.webhooks import WebhookAnswer

#: maximum characters of an error that are kept: it may quote the answer
_ERROR_CHARS = 200
_HEADERS = {"Content-Type": "application/json", "User-Agent": "bulkfax-webhooks"}


class PrivateAddress(OSError):
    """Raised if a name resolves to no address that may be called."""


class _CheckedResolver(AbstractResolver):
    """Resolves names, and leaves out what may not be called."""

    def __init__(self) -> None:
        self._resolver = aiohttp.ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        resolved = await self._resolver.resolve(host, port, family)
        public = [address for address in resolved if is_public(address["host"])]
        if not public:
            raise PrivateAddress(f"{host} resolves to an address of one machine or network")
        return public

    async def close(self) -> None:
        await self._resolver.close()


class WebhookSender:
    """Sends deliveries. It belongs to the event loop in which it is used first."""

    def __init__(self, *, private_addresses: bool, total_s: float) -> None:
        """Create it. ``total_s`` bounds a request from the resolution of the name to the head of the answer."""
        self._private = private_addresses
        self._total_s = total_s
        self._session: aiohttp.ClientSession | None = None

    async def aclose(self) -> None:
        """Close all connections, including those in use."""
        if self._session is not None:
            await self._session.close()

    async def send(self, url: str, body: bytes, headers: Mapping[str, str]) -> WebhookAnswer:
        """Send a delivery and return what came of it. Whatever the other side does, nothing is raised."""
        # an address in digits is not resolved, and the setting may have changed since it was stored
        if fault := webhook_fault(url, private=self._private):
            return WebhookAnswer(status=0, error=fault)
        try:
            async with (
                asyncio.timeout(self._total_s),
                self._opened().post(url, data=body, headers={**_HEADERS, **headers}, allow_redirects=False) as response,
            ):
                return _answer(response)
        except TimeoutError:
            return WebhookAnswer(status=0, error=f"no answer within {self._total_s:g} s")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return WebhookAnswer(status=0, error=_words(error))

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            # no limit: there are few endpoints, and none may wait for another
            resolver = aiohttp.ThreadedResolver() if self._private else _CheckedResolver()
            connector = aiohttp.TCPConnector(
                limit=0, force_close=True, use_dns_cache=False, ssl=ssl.create_default_context(), resolver=resolver
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=self._total_s),
                trust_env=False,
                auto_decompress=False,
            )
        return self._session


def _answer(response: aiohttp.ClientResponse) -> WebhookAnswer:
    status = response.status
    if 200 <= status < 300:
        return WebhookAnswer(status=status)
    what = "a redirect, which is not followed" if 300 <= status < 400 else "an error"
    retry_after = response.headers.get("Retry-After", "")
    wait_s = float(retry_after) if retry_after.isascii() and retry_after.isdigit() and len(retry_after) < 10 else None
    return WebhookAnswer(status=status, error=f"HTTP {status}, {what}", retry_after_s=wait_s)


def _words(error: Exception) -> str:
    cause: BaseException = error
    if isinstance(error, aiohttp.ClientConnectorError):
        cause = error.os_error
    return (str(cause) or type(cause).__name__)[:_ERROR_CHARS]
