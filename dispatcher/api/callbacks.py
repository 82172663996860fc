"""Routes that the provider calls, once for each fax. They need no API key, because their URLs are signed.

They are plain Starlette routes: FastAPI's parsing of parameters and its response models would be most of their cost.
"""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from dispatcher.api.dependencies import runtime_of

#: maximum number of digits of an attempt number in a URL
_ATTEMPT_DIGITS = 9


async def incoming_fax(request: Request) -> Response:
    """Acknowledge an incoming fax and ignore it: bulkfax only sends."""
    await runtime_of(request).callback_receiver.drop_incoming(request.stream())
    return _taken()


async def fax_event(request: Request) -> Response:
    """Receive a callback about one attempt. It is stored before it is acknowledged."""
    path = request.path_params
    await runtime_of(request).callback_receiver.receive(
        job=path["job"],
        attempt=_attempt(path["attempt"]),
        signature=path["signature"],
        content_type=request.headers.get("content-type", ""),
        body=request.stream(),
    )
    return _taken()


def _attempt(text: str) -> int:
    """Parse an attempt number. Invalid text becomes a number that no signature matches."""
    return int(text) if text.isdecimal() and len(text) <= _ATTEMPT_DIGITS else -1


def _taken() -> Response:
    return JSONResponse({"status": "ok"})


ROUTES = (
    Route("/callbacks/sinch/incoming", incoming_fax, methods=["POST"]),
    Route("/callbacks/sinch/{job}/{attempt}/{signature}", fax_event, methods=["POST"]),
)
