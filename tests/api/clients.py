"""Clients of an API made for one test, and a server for what needs a real connection."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import uvicorn

from dispatcher.api.app import create_app
from dispatcher.api.connection import BoundedConnection
from dispatcher.emulator.server import RunningEmulator
from dispatcher.runtime import Runtime, open_runtime
from dispatcher.settings import Settings, SinchSettings
from tests.api.described import ensure_described


def account_of(emulator: RunningEmulator) -> SinchSettings:
    """Settings of the account at an emulator."""
    config = emulator.config
    return SinchSettings.model_validate(
        {
            "project_id": config.project_id,
            "key_id": config.key_id,
            "key_secret": config.key_secret,
            "base_url": emulator.url,
            "auth_url": f"{emulator.url}/oauth2/token",
        }
    )


@asynccontextmanager
async def client_of(runtime: Runtime, base_url: str = "http://localhost") -> AsyncIterator[httpx.AsyncClient]:
    """A client of the API around a runtime, without a network between them."""
    app = create_app(runtime)
    client = httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url=base_url, event_hooks={"response": [ensure_described]}
    )
    async with app.router.lifespan_context(app), client:
        yield client


@asynccontextmanager
async def api_with(settings: Settings, base_url: str = "http://localhost") -> AsyncIterator[httpx.AsyncClient]:
    """A client of an API that has settings of its own."""
    async with open_runtime(settings) as runtime, client_of(runtime, base_url) as client:
        yield client


@asynccontextmanager
async def served(
    runtime: Runtime, connection: type[BoundedConnection] = BoundedConnection, stop_s: int = 1
) -> AsyncIterator[tuple[str, int]]:
    """Host and port of the API on a real server in this event loop, which is stopped at the end of the block."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        config = uvicorn.Config(
            create_app(runtime),
            http=connection,
            ws="none",
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=stop_s,
        )
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield listener.getsockname()
        finally:
            server.should_exit = True
            await serving
