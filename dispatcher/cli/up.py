"""``up``: all processes on this machine, with an embedded Redis where none is named."""

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from dispatcher.cli.output import CommandFailed, note
from dispatcher.cli.processes import LocalSupervisor, ManagedProcess, Process
from dispatcher.cli.services import ensure_port_free
from dispatcher.client import Client, ClientError
from dispatcher.settings import Settings, load_settings

#: how long web may take until it is ready
READY_TIMEOUT_S = 60.0
_LOOK_S = 0.1


def up() -> None:
    """Run everything on this machine until Ctrl-C: API, scheduler, workers, and a Redis if none is named."""
    settings = load_settings()
    ensure_port_free(settings.host, settings.port)
    with stopped_by_signals() as stop:
        redis, url = _redis(settings)
        env = {**os.environ, "BULKFAX_REDIS_URL": url}
        supervisor = LocalSupervisor([*redis, *service_processes(env)], note)
        try:
            supervisor.start()
            wait_until_ready(_local_url(settings), supervisor, stop)
            if not stop.is_set():
                note(_welcome(settings))
            supervisor.watch(stop)
        finally:
            note("stopping ...")
            supervisor.stop()


def _redis(settings: Settings) -> tuple[list[ManagedProcess], str]:
    """The embedded server where no other is named, started already because the others are told its address."""
    if settings.redis_url:
        return [], settings.redis_url
    from dispatcher.cli.redis_part import RedisProcess  # late: it costs other commands half a second
    from dispatcher.store.server import EmbeddedServer

    server = EmbeddedServer(settings.data_dir / "redis")
    server.start()
    return [RedisProcess(server)], server.url


#: what starts each process, its name being the last word
PROGRAM = (sys.executable, "-m", "dispatcher.cli")


def service_processes(
    env: Mapping[str, str], *, cwd: Path | None = None, logs: Path | None = None, program: Sequence[str] = PROGRAM
) -> list[Process]:
    """Web, scheduler and worker, as one command each of ``bulkfax``."""
    return [
        Process(
            name,
            [*program, name],
            env=env,
            cwd=cwd,
            log=logs / f"{name}.log" if logs else None,
        )
        for name in ("web", "scheduler", "worker")
    ]


def wait_until_ready(url: str, supervisor: LocalSupervisor, stop: threading.Event) -> None:
    """Wait until web answers that it is ready. Raises Failure when a process ends first, or it takes too long."""
    end_s = time.monotonic() + READY_TIMEOUT_S
    reason = "it does not answer"
    with Client(url, patience_s=0) as client:
        while not stop.wait(_LOOK_S):
            if dead := supervisor.first_dead():
                words = dead.last_words() or "its own words above say why"
                raise CommandFailed(f"{dead.name} {dead.how_it_ended()} before everything ran: {words}")
            try:
                readiness = client.ready()
            except ClientError:
                pass
            else:
                if readiness.ready:
                    return
                reason = readiness.reason
            if time.monotonic() > end_s:
                raise CommandFailed(f"web was not ready after {READY_TIMEOUT_S:.0f} s: {reason}")


@contextmanager
def stopped_by_signals() -> Iterator[threading.Event]:
    """An event that Ctrl-C and SIGTERM set, instead of breaking off what runs."""
    stop = threading.Event()

    def ask(_signal: int, _frame: object) -> None:
        stop.set()

    before = {name: signal.signal(name, ask) for name in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)


def _local_url(settings: Settings) -> str:
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(settings.host, settings.host)  # noqa: S104  # compared, not bound
    return f"http://{f'[{host}]' if ':' in host and not host.startswith('[') else host}:{settings.port}"


def _welcome(settings: Settings) -> str:
    embedded = f"data in {settings.data_dir}/redis (embedded Redis)"
    data = "data in the Redis that BULKFAX_REDIS_URL names" if settings.redis_url else embedded
    return (
        f"bulkfax runs: API on {_local_url(settings)} (docs under /docs), {data}.\n"
        f"Send a mailing from another terminal: bulkfax send LETTER.pdf RECIPIENTS.csv --watch\n"
        f"Ctrl-C stops everything."
    )
