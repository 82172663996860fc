"""``web``, ``scheduler``, ``worker``: the services that a Procfile or a container starts."""

import asyncio
import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import uvicorn
    from fastapi import FastAPI

    from dispatcher.settings import Settings

#: seconds in which web ends after it was asked to, whatever its clients do; `bulkfax up` waits for ten seconds more
_STOP_WEB_S = 20

#: optional dependencies of structlog, httpx and redis-py that workers and schedulers do not use: tables, colours, a
#: command line, tracing; they are a fifth of what would be imported
_LEFT_OUT = ("rich", "click", "pygments", "opentelemetry")


def web() -> None:
    """Run the web process: the API, the callback receiver, documents and metrics."""
    from uvicorn.loops.auto import auto_loop_factory  # late, both: they cost other commands a second

    from dispatcher.cli.store_access import settings_with_redis
    from dispatcher.cpu_thread import SWITCH_INTERVAL_S
    from dispatcher.local.ports import ensure_port_free

    settings = settings_with_redis()
    ensure_port_free(settings.host, settings.port)
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    with asyncio.Runner(loop_factory=auto_loop_factory()) as runner:  # uvloop, where there is one
        runner.run(_serve(settings))


def scheduler() -> None:
    """Run a scheduler: it leases due jobs to the workers at the account's rate. Run two for availability."""
    with _importing():
        from workers.scheduler import main

        _use_redis()
    sys.exit(main())


def worker() -> None:
    """Run workers: they send faxes and process the provider's results."""
    with _importing():
        from dispatcher.runtime import read_policy
        from workers.service import run

        settings = _use_redis()
    sys.exit(run(settings, read_policy(settings)))


def ensure_can_start(settings: "Settings") -> None:
    """Find out whether the services could start, before any of them is.

    Raises:
        SettingsError: The policy is invalid, or anyone in the network could use the API.
        StoreError: The Redis of the settings does not answer, or is not ours or not safe to use.
    """
    from dispatcher.api.security import ensure_guarded
    from dispatcher.runtime import check_broker, open_store, read_policy

    async def check_store() -> None:
        async with open_store(settings) as store:
            await store.check_settings()
        await check_broker(settings)

    read_policy(settings)
    ensure_guarded(settings)
    if settings.redis_url:
        asyncio.run(check_store())


@contextmanager
def _importing() -> Iterator[None]:
    """Make the imports in the block quick, because these processes are started often.

    Imported modules are never freed, so they are kept from the garbage collector: it would visit them again and again,
    and copy memory that forked processes share.
    """
    left_out = [name for name in _LEFT_OUT if name not in sys.modules]
    sys.modules.update(dict.fromkeys(left_out))  # type: ignore[arg-type]  # None: as if it were not installed
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
        for name in left_out:
            del sys.modules[name]


def _use_redis() -> "Settings":
    """Return the settings with the address of a Redis, and export that address to child processes."""
    from dispatcher.cli.store_access import settings_with_redis

    settings = settings_with_redis()
    os.environ["BULKFAX_REDIS_URL"] = settings.redis_url
    return settings


async def _serve(settings: "Settings") -> None:
    """Serve the API. The runtime is opened here, because the server would print a failure as a stack trace."""
    import uvicorn

    from dispatcher.alive import AliveFile
    from dispatcher.api.app import create_app
    from dispatcher.logs import configure_logs
    from dispatcher.runtime import open_runtime

    configure_logs(settings, "web")
    async with open_runtime(settings, answers_people=True) as runtime:
        app = create_app(runtime)
        app.openapi()  # takes a tenth of a second, for which the first reader of it would hold up all others
        beat = asyncio.create_task(AliveFile(settings.alive_dir, "web").beat())
        await uvicorn.Server(server_config(app, settings)).serve()
        beat.cancel()


def server_config(app: "FastAPI", settings: "Settings") -> "uvicorn.Config":
    """Return the configuration of the server of ``web``."""
    import uvicorn

    from dispatcher.api.connection import connection_for_this_process

    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http=connection_for_this_process(),
        ws="none",
        access_log=False,
        log_config=None,  # its messages go through our handlers, as those of other libraries
        log_level="warning",
        timeout_graceful_shutdown=_STOP_WEB_S,
    )
