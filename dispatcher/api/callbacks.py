"""Routes that the provider calls, once for each fax. They need no API key, because their URLs are signed.

They are answered right behind the checks of a request: the other layers of the application, its routing and FastAPI's
parsing of parameters would take longer than a callback itself.
"""

from collections.abc import Awaitable, Callable
from time import perf_counter

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Match, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from dispatcher.api.dependencies import runtime_of
from dispatcher.api.problems import EXPECTED, GONE, problem_of, problem_response
from dispatcher.metrics.process import RequestMetrics
from dispatcher.service.callbacks import CallbackResult
from dispatcher.service.errors import Forged, Unreadable

#: the start of the paths that ``dispatcher/sinch/callback_url.py`` makes
_PREFIX = "/callbacks/sinch"
#: maximum number of digits of an attempt number in a URL
_ATTEMPT_DIGITS = 9
_TAKEN = JSONResponse({"status": "ok"})


async def incoming_fax(request: Request) -> CallbackResult:
    """Acknowledge an incoming fax and ignore it: bulkfax only sends."""
    return await runtime_of(request).callback_receiver.drop_incoming(request.stream())


async def fax_event(request: Request) -> CallbackResult:
    """Receive a callback about one attempt. It is stored before it is acknowledged."""
    path = request.path_params
    return await runtime_of(request).callback_receiver.receive(
        job=path["job"],
        attempt=_attempt(path["attempt"]),
        signature=path["signature"],
        content_type=request.headers.get("content-type", ""),
        body=request.stream(),
    )


def _attempt(text: str) -> int:
    """Parse an attempt number. Invalid text becomes a number that no signature matches."""
    return int(text) if text.isdecimal() and len(text) <= _ATTEMPT_DIGITS else -1


class _Acknowledged:
    """An endpoint that counts a callback, and acknowledges it once ``take`` has returned."""

    def __init__(self, take: Callable[[Request], Awaitable[CallbackResult]]) -> None:
        self._take = take

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response: Response = _TAKEN
        try:
            await self._counted(Request(scope, receive))
        except EXPECTED as error:
            response = problem_response(problem_of(error))
        except ClientDisconnect:
            response = GONE
        await response(scope, receive, send)

    async def _counted(self, request: Request) -> None:
        metrics: RequestMetrics = request.app.state.request_metrics
        began_s, result = perf_counter(), CallbackResult.UNAVAILABLE
        try:
            result = await self._take(request)
        except Forged:
            result = CallbackResult.FORGED
            raise
        except Unreadable:
            result = CallbackResult.UNREADABLE
            raise
        finally:
            metrics.count_callback(result, perf_counter() - began_s)


#: the application has these routes too: it answers other methods
ROUTES = (
    Route(f"{_PREFIX}/{{job}}/{{attempt}}/{{signature}}", _Acknowledged(fax_event), methods=["POST"]),
    Route(f"{_PREFIX}/incoming", _Acknowledged(incoming_fax), methods=["POST"]),
)


class CallbacksFirst:
    """Middleware that answers callbacks, and passes on all other requests."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (_endpoint(scope) or self._app)(scope, receive, send)


def _endpoint(scope: Scope) -> ASGIApp | None:
    """Return the endpoint of a callback, and tell the request its route; None for other requests."""
    if scope["type"] != "http" or not scope["path"].startswith(_PREFIX):
        return None
    for route in ROUTES:
        match, matched = route.matches(scope)
        if match is Match.FULL:
            scope.update(matched, route=route)
            return route.app
    return None
