"""``python -m benchmarks.bare_server PORT``: the least that a receiver of callbacks, or a provider, has to do.

``POST /callbacks/...`` reads a callback by the product's own parser and keeps nothing. ``POST /faxes`` reads JSON,
waits 50 ms and answers a small object.
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
    reader = CallbackReader(request.headers.get("content-type", ""))
    async for piece in request.stream():
        reader.feed(piece)
    return JSONResponse({"fax": reader.finish().fax_id})


async def fax(request: Request) -> Response:
    taken = await request.json()
    await asyncio.sleep(LATENCY_S)
    return JSONResponse({"id": "01K0000000000000000000000", "to": taken["to"], "status": "QUEUED"})


def main() -> None:
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
