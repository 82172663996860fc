"""Middleware for the requests to the emulated API: outages, credentials, rate limit, latency and statistics.

It is plain ASGI, because a FastAPI dependency or middleware class would slow down every request.
"""

import asyncio
import time

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dispatcher.emulator.auth import Access
from dispatcher.emulator.bucket import TokenBucket
from dispatcher.emulator.emulator import Emulator
from dispatcher.emulator.responses import NoResponse, error_response, unauthorized

TOKEN_PATH = "/oauth2/token"  # noqa: S105 - a path, not a secret
API = "/v3/"
#: key in the ASGI scope: the time at which a ``POST /faxes`` began to arrive
REQUESTED_MS = "emulator.requested_ms"


class RequestChecks:
    """Passes a request on to the application, or refuses it."""

    def __init__(self, app: ASGIApp, emulator: Emulator) -> None:
        self._app = app
        self._emulator = emulator

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Process one request."""
        if scope["type"] != "http" or not scope["path"].startswith((API, TOKEN_PATH)):
            await self._app(scope, receive, send)
            return
        stats = self._emulator.stats
        stats.request_started()
        if scope["method"] == "POST" and scope["path"].endswith("/faxes"):
            scope[REQUESTED_MS] = now_ms = self._emulator.clock.now_ms()
            stats.posts_per_second[now_ms // 1000] += 1
        try:
            await (self._refusal(scope) or self._app)(scope, receive, self._delayed(send))
        finally:
            stats.in_flight -= 1

    def _delayed(self, send: Send) -> Send:
        """Wrap ``send``: delay the start of the response by the simulated latency, and count its status."""
        latency_s = self._emulator.latency_s()

        async def delayed_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                if latency_s:
                    await asyncio.sleep(latency_s)
                self._emulator.stats.requests_by_status[str(message["status"])] += 1
            await send(message)

        return delayed_send

    def _refusal(self, scope: Scope) -> Response | None:
        outage = self._emulator.current_outage()
        if outage is not None:
            self._emulator.stats.count_fault("outage")
            if outage.how == "drop":
                return NoResponse(drop=True)
            return error_response(int(outage.how), "The provider is away")
        if scope["path"] == TOKEN_PATH:
            return self._rate_refusal(self._emulator.token_bucket)
        return self._access_refusal(scope) or self._rate_refusal(self._emulator.bucket)

    def _access_refusal(self, scope: Scope) -> Response | None:
        header = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        now_ms = self._emulator.clock.now_ms()
        access, challenge = self._emulator.auth.check(header, scope["path"], now_ms)
        return None if access is Access.GRANTED else unauthorized(challenge)

    def _rate_refusal(self, bucket: TokenBucket | None) -> Response | None:
        if bucket is None or bucket.take(time.monotonic()):
            return None
        self._emulator.stats.rate_limited += 1
        seconds = self._emulator.scenario.retry_after_s
        headers = {} if seconds is None else {"Retry-After": str(seconds)}
        return error_response(429, "Too many requests", headers=headers)
