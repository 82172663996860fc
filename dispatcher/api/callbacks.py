"""Routes that the provider calls, once for each fax. They need no API key, because their URLs are signed.

They are plain Starlette routes: FastAPI's parsing of parameters and its response models would be most of their cost.
"""

from collections.abc import Awaitable
from time import perf_counter

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from dispatcher.api.dependencies import runtime_of
from dispatcher.metrics.process import RequestMetrics
from dispatcher.service.callbacks import CallbackResult
from dispatcher.service.errors import Forged, Unreadable

#: maximum number of digits of an attempt number in a URL
_ATTEMPT_DIGITS = 9


async def incoming_fax(request: Request) -> Response:
    """Acknowledge an incoming fax and ignore it: bulkfax only sends."""
    return await _counted(request, runtime_of(request).callback_receiver.drop_incoming(request.stream()))


async def fax_event(request: Request) -> Response:
    """Receive a callback about one attempt. It is stored before it is acknowledged."""
    path = request.path_params
    receiving = runtime_of(request).callback_receiver.receive(
        job=path["job"],
        attempt=_attempt(path["attempt"]),
        signature=path["signature"],
        content_type=request.headers.get("content-type", ""),
        body=request.stream(),
    )
    return await _counted(request, receiving)


async def _counted(request: Request, receiving: Awaitable[CallbackResult]) -> Response:
    """Receive a callback, count it, and acknowledge it."""
    metrics: RequestMetrics = request.app.state.request_metrics
    began_s, result = perf_counter(), CallbackResult.UNAVAILABLE
    try:
        result = await receiving
    except Forged:
        result = CallbackResult.FORGED
        raise
    except Unreadable:
        result = CallbackResult.UNREADABLE
        raise
    finally:
        metrics.count_callback(result, perf_counter() - began_s)
    return JSONResponse({"status": "ok"})


def _attempt(text: str) -> int:
    """Parse an attempt number. Invalid text becomes a number that no signature matches."""
    return int(text) if text.isdecimal() and len(text) <= _ATTEMPT_DIGITS else -1


ROUTES = (
    Route("/callbacks/sinch/incoming", incoming_fax, methods=["POST"]),
    Route("/callbacks/sinch/{job}/{attempt}/{signature}", fax_event, methods=["POST"]),
)
