"""``web``, ``scheduler``, ``worker``: one process each, as a Procfile or a container starts them."""

import asyncio
import os
import socket
import sys
from typing import NoReturn

from dispatcher.cli.output import Failure
from dispatcher.core.policy import Policy
from dispatcher.settings import Settings

#: beyond the hard total time of a POST, for what a worker that stops still has to write
_WORKER_STOP_MARGIN_S = 5.0


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
    from dispatcher.cli.local import settings_with_redis

    _become([sys.executable, "-m", "workers.scheduler"], settings_with_redis())


def worker() -> None:
    """Run workers: they send, and settle what the provider says."""
    from dispatcher.cli.local import settings_with_redis
    from dispatcher.runtime import read_policy

    settings = settings_with_redis()
    policy = read_policy(settings)  # a bad one is a sentence here, and a stack trace in every worker process
    _become(worker_command(settings, policy), settings)


def worker_command(settings: Settings, policy: Policy) -> list[str]:
    """The command of the supervisor of workers. A worker that stops may finish the POSTs that it began."""
    stop_s = policy.post_total_s + _WORKER_STOP_MARGIN_S
    options = ["--processes", str(settings.worker_processes), "--stop-s", f"{stop_s:g}"]
    return [sys.executable, "-m", "workers.supervisor", *options]


def ensure_port_free(host: str, port: int) -> None:
    """Raises Failure when the port cannot be listened on, before anything else is started."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as error:
        raise Failure(
            f"port {port} on {host} cannot be listened on ({error.strerror}): stop what uses it, "
            f"or choose another with BULKFAX_PORT"
        ) from error


def free_port() -> int:
    """A port of the loopback address that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def _serve(settings: Settings) -> None:
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


def _become(command: list[str], settings: Settings) -> NoReturn:
    """Turn this process into the command, so that signals reach it and nothing stands between."""
    sys.stdout.flush()
    env = {**os.environ, "BULKFAX_REDIS_URL": settings.redis_url}
    os.execve(command[0], command, env)  # noqa: S606  # our own command, no shell
