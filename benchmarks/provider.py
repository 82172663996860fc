"""``python -m benchmarks.provider``: the emulator with an adjustable rate and a log of arrivals.

Options are ``--rate``, ``--burst-s`` (the size of the token bucket, in seconds of the rate) and ``--speed``. It adds
two paths: ``POST /bench/rate {"rate": 50}`` changes the rate, and ``GET /bench/arrivals`` returns a list of
[seconds since 1970, status] with every ``POST /faxes`` in the order of arrival.
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


class ArrivalLog:
    """Middleware that records the time and the response status of each ``POST /faxes``."""

    def __init__(self, app: ASGIApp, log: list[list[float]]) -> None:
        self._app = app
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST" or not scope["path"].endswith("/faxes"):
            await self._app(scope, receive, send)
            return
        entry = [time.time(), 0]
        self._log.append(entry)

        async def send_and_record(message: Message) -> None:
            if message["type"] == "http.response.start":
                entry[1] = message["status"]
            await send(message)

        await self._app(scope, receive, send_and_record)


def create_provider(config: EmulatorConfig, burst_s: float) -> ASGIApp:
    """Return the emulator's application with the two additional paths."""
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
    return ArrivalLog(app, log)


def _burst(rate: float, burst_s: float) -> int:
    return max(1, round(rate * burst_s))


def main() -> None:
    """Serve the provider until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.provider")
    for name, default in (("--rate", 100.0), ("--burst-s", 0.25), ("--speed", 1.0)):
        parser.add_argument(name, type=float, default=default)
    arguments = parser.parse_args()
    config = EmulatorConfig(
        rate=arguments.rate, burst=_burst(arguments.rate, arguments.burst_s), speed=arguments.speed, fetch_content=False
    )
    listening, running = listen(config)
    print(running.line, flush=True)
    options = uvicorn.Config(
        create_provider(config, arguments.burst_s), http=CuttingProtocol, ws="none", log_level="warning"
    )
    with listening, suppress(KeyboardInterrupt):
        uvicorn.Server(options).run(sockets=[listening])


if __name__ == "__main__":
    main()
