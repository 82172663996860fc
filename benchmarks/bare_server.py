"""``python -m benchmarks.bare_server PORT``: a minimal receiver of callbacks and a minimal provider.

``POST /callbacks/...`` parses a callback with bulkfax's parser and stores nothing. ``POST /faxes`` reads JSON,
waits 50 ms and responds with a small object.
"""

import asyncio
import sys

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from dispatcher.sinch.callbacks import CallbackReader

LATENCY_S = 0.05


async def callback(request: Request) -> Response:
    """Parse a callback."""
    reader = CallbackReader(request.headers.get("content-type", ""))
    async for chunk in request.stream():
        reader.feed(chunk)
    return JSONResponse({"fax": reader.finish().fax_id})


async def fax(request: Request) -> Response:
    """Accept a fax after the latency."""
    body = await request.json()
    await asyncio.sleep(LATENCY_S)
    return JSONResponse({"id": "01K0000000000000000000000", "to": body["to"], "status": "QUEUED"})


def main() -> None:
    """Serve until interrupted."""
    routes = [
        Route("/callbacks/{rest:path}", callback, methods=["POST"]),
        Route("/faxes", fax, methods=["POST"]),
        Route("/healthz", lambda _: JSONResponse({})),
    ]
    uvicorn.run(
        Starlette(routes=routes), host="127.0.0.1", port=int(sys.argv[1]), access_log=False, log_level="warning"
    )


if __name__ == "__main__":
    main()
