"""A hostile provider on the simulated clock: the emulator replaces answers and callbacks, the real pool reads them."""

import asyncio
import json
import ssl
from collections.abc import Awaitable, Callable

import httpx
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from dispatcher.emulator.hostile import HostileAnswers, Hostility
from dispatcher.sinch.body import BodyStream, SendGuard
from dispatcher.sinch.errors import ResponseLostError
from dispatcher.sinch.http import Call
from dispatcher.sinch.pool import HttpPool
from dispatcher.sinch.responses import SinchResponse, error_from_response
from tests.simulation.engine import Engine
from tests.simulation.process import Process

_ADDRESS, _TOKEN = "https://fax.example.com/v3/projects/p", "Bearer eyJhbGciOi.token"
_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # never used
#: the dispatcher limits the pauses that a provider may ask for
_MAX_PAUSE_S = 3600.0


class HostileProvider:
    """Stands before the provider of an engine and replaces a share of its answers and callbacks until faults end."""

    def __init__(self, engine: Engine, share: float, seed: int) -> None:
        self._provider = provider = engine.provider
        self._send, self._read, self._deliver = provider.send, provider.read, provider.deliver
        self._hostility = Hostility(lambda: (0.0 if engine.schedule.over else share, seed), self._count)
        provider.send, provider.read = self.send, self.read  # type: ignore[method-assign]
        provider.deliver = self.deliver
        engine.refuses_callbacks = True

    async def send(
        self, process: Process, call: Call, total_s: float, may_send: Callable[[], bool] | None
    ) -> SinchResponse:
        """Answer a POST."""
        return await self._answer(call, total_s, may_send, lambda: self._send(process, call, total_s, None))

    async def read(self, process: Process, call: Call, total_s: float) -> SinchResponse:
        """Answer a GET of a fax or of a list."""
        return await self._answer(call, total_s, None, lambda: self._read(process, call, total_s))

    def deliver(self, url: str, body: bytes) -> None:
        """Deliver a callback."""
        hostile = self._hostility.callback(json.loads(body))
        self._deliver(url, hostile if isinstance(hostile, bytes) else json.dumps(hostile).encode())

    async def _answer(
        self,
        call: Call,
        total_s: float,
        may_send: Callable[[], bool] | None,
        ask: Callable[[], Awaitable[SinchResponse]],
    ) -> SinchResponse:
        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await Request(scope, receive).body()  # asks whether it may be sent
            answer = await ask()
            await Response(answer.body, answer.status, answer.headers)(scope, receive, send)

        transport = httpx.ASGITransport(HostileAnswers(app, ("/",), self._hostility))
        guard = SendGuard(may_send)
        try:
            async with asyncio.timeout(total_s):
                pool = HttpPool(transport=transport, context=_TLS)
                answer = await pool.exchange(_request(call, guard), guard, max_bytes=call.max_bytes)
        except TimeoutError as error:
            raise ResponseLostError(f"no answer within {total_s:g} s") from error
        self._note(answer, is_send=call.method == "POST")
        return answer

    def _note(self, answer: SinchResponse, *, is_send: bool) -> None:
        """Tell the provider of the simulation what its dispatcher now knows."""
        if is_send:
            self._provider.last_send_s = self._provider._clock.now_s
        error = error_from_response(answer)
        if getattr(error, "retry_after_s", None) is not None or answer.status in (429, 503):
            self._provider._request_pause(_MAX_PAUSE_S)

    def _count(self, kind: str) -> None:
        self._provider._count(kind)


def _request(call: Call, guard: SendGuard) -> httpx.Request:
    headers = {"Authorization": _TOKEN, "Content-Length": str(call.body.length) if call.body else "0"}
    return httpx.Request(call.method, _ADDRESS + call.path, headers=headers, stream=BodyStream(call.body, guard))
