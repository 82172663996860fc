"""Routes that the provider calls, once for each fax. No API key: the address itself is signed.

They are the framework's bare routes: what FastAPI does to make parameters of a request and a model of an answer would
be most of their cost, and nobody else calls them.
"""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from dispatcher.api.security import runtime_of

#: more than any attempt has
_ATTEMPT_DIGITS = 9


async def incoming_fax(request: Request) -> Response:
    """Incoming faxes are acknowledged and dropped: this software only sends."""
    await runtime_of(request).callback_receiver.drop_incoming(request.stream())
    return _taken()


async def fax_event(request: Request) -> Response:
    """News of one attempt, on disk before it is acknowledged."""
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
    """A number that no signature fits where it is none of ours; Python refuses to read thousands of digits."""
    return int(text) if text.isdecimal() and len(text) <= _ATTEMPT_DIGITS else -1


def _taken() -> Response:
    return JSONResponse({"status": "ok"})


ROUTES = (
    Route("/callbacks/sinch/incoming", incoming_fax, methods=["POST"]),
    Route("/callbacks/sinch/{job}/{attempt}/{signature}", fax_event, methods=["POST"]),
)
