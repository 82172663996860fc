"""``python -m benchmarks.provider``: the emulator with a rate that can be changed while it runs, and a log of arrivals.

Takes ``--rate``, ``--burst-s`` (the bucket, in seconds of the rate) and ``--speed``. Two paths of its own:
``POST /bench/rate {"rate": 50}`` and ``GET /bench/arrivals``, a list of [seconds since 1970, status] of every
``POST /faxes`` in the order of arrival.
"""

import argparse
import time
from contextlib import suppress

import uvicorn
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dispatcher.emulator import EmulatorConfig
from dispatcher.emulator.app import create_app
from dispatcher.emulator.server import CuttingProtocol, listen


class Arrivals:
    """Notes when each ``POST /faxes`` came and what it was answered."""

    def __init__(self, app: ASGIApp, log: list[list[float]]) -> None:
        self._app = app
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST" or not scope["path"].endswith("/faxes"):
            await self._app(scope, receive, send)
            return
        entry = [time.time(), 0]
        self._log.append(entry)

        async def noted(message: Message) -> None:
            if message["type"] == "http.response.start":
                entry[1] = message["status"]
            await send(message)

        await self._app(scope, receive, noted)


def watched(config: EmulatorConfig, burst_s: float) -> ASGIApp:
    """The emulator's application and the two paths."""
    app = create_app(config)
    bucket = app.state.emulator.bucket
    log: list[list[float]] = []

    async def post_rate(request: Request) -> Response:
        bucket.rate = (await request.json())["rate"]
        bucket.burst = _burst(bucket.rate, burst_s)
        return JSONResponse({"rate": bucket.rate, "burst": bucket.burst})

    async def get_arrivals(_: Request) -> Response:
        return JSONResponse(log)

    app.router.routes[:0] = [
        Route("/bench/rate", post_rate, methods=["POST"]),
        Route("/bench/arrivals", get_arrivals),
    ]
    return Arrivals(app, log)


def _burst(rate: float, burst_s: float) -> int:
    return max(1, round(rate * burst_s))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.provider")
    for name, default in (("--rate", 100.0), ("--burst-s", 0.25), ("--speed", 1.0)):
        parser.add_argument(name, type=float, default=default)
    given = parser.parse_args()
    config = EmulatorConfig(
        rate=given.rate, burst=_burst(given.rate, given.burst_s), speed=given.speed, fetch_content=False
    )
    taken, running = listen(config)
    print(running.line, flush=True)
    options = uvicorn.Config(watched(config, given.burst_s), http=CuttingProtocol, ws="none", log_level="warning")
    with taken, suppress(KeyboardInterrupt):
        uvicorn.Server(options).run(sockets=[taken])


if __name__ == "__main__":
    main()
