"""``web``, ``scheduler``, ``worker``: one process each, as a Procfile or a container starts them."""

import asyncio
import gc
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dispatcher.cli.failure import CommandFailed

if TYPE_CHECKING:
    from dispatcher.settings import Settings

#: Optional parts of structlog, httpx and redis-py, which workers and schedulers do not use: tables, colours, a command
#: line, tracing. They are a fifth of all that would be imported.
_LEFT_OUT = ("rich", "click", "pygments", "opentelemetry")


def web() -> None:
    """Run the API: batches, callbacks, documents, metrics."""
    from uvicorn.loops.auto import auto_loop_factory  # late, both: they cost other commands a second

    from dispatcher.cli.local import settings_with_redis

    settings = settings_with_redis()
    ensure_port_free(settings.host, settings.port)
    with asyncio.Runner(loop_factory=auto_loop_factory()) as runner:  # uvloop, where there is one
        runner.run(_serve(settings))


def scheduler() -> None:
    """Run the scheduler: hands out what is due, at the account's rate. Two of them agree."""
    with _importing():
        from workers.scheduler import main

        _use_redis()
    sys.exit(main())


def worker() -> None:
    """Run workers: they send, and settle what the provider says."""
    with _importing():
        from dispatcher.runtime import read_policy
        from workers.service import run

        settings = _use_redis()
    sys.exit(run(settings, read_policy(settings)))


@contextmanager
def _importing() -> Iterator[None]:
    """Imports of processes that are started again and again, and have to be ready soon.

    What is imported stays: the collector would go through it many times, and later copy the memory that forked
    processes share.
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
    """The settings with a Redis that is there, which our processes find in their environment as well."""
    from dispatcher.cli.local import settings_with_redis

    settings = settings_with_redis()
    os.environ["BULKFAX_REDIS_URL"] = settings.redis_url
    return settings


def ensure_port_free(host: str, port: int) -> None:
    """Raises Failure when the port cannot be listened on, before anything else is started."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as error:
        raise CommandFailed(
            f"port {port} on {host} cannot be listened on ({error.strerror}): stop what uses it, "
            f"or choose another with BULKFAX_PORT"
        ) from error


def free_port() -> int:
    """A port of the loopback address that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def _serve(settings: "Settings") -> None:
    """Open the runtime here and not in the server, which would print a failure as a stack trace."""
    import uvicorn

    from dispatcher.api.app import create_app
    from dispatcher.logs import configure_logs
    from dispatcher.runtime import open_runtime

    configure_logs(settings)
    async with open_runtime(settings, answers_people=True) as runtime:
        config = uvicorn.Config(
            create_app(runtime), host=settings.host, port=settings.port, access_log=False, log_level="warning"
        )
        await uvicorn.Server(config).serve()
