"""Starts the services web, scheduler and worker, and the emulator, as child processes."""

import os
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from dispatcher.client import Client, ClientError
from dispatcher.local.errors import StartFailed
from dispatcher.local.supervisor import LocalSupervisor, Process

SERVICES = ("web", "scheduler", "worker")
#: the services that have a port for nothing but their metrics
WITH_METRICS_PORT = ("scheduler", "worker")
#: the command of a service, without the name of the service as its last word
PROGRAM = (sys.executable, "-m", "dispatcher.cli")
#: seconds that web may take to become ready
READY_TIMEOUT_S = 60.0
_POLL_S = 0.1
#: settings that child processes keep from our environment
_KEPT_SETTINGS = {"BULKFAX_LOG_LEVEL", "BULKFAX_LOG_FORMAT"}


def service_processes(
    env: Mapping[str, str],
    *,
    names: Sequence[str] = SERVICES,
    cwd: Path | None = None,
    logs: Path | None = None,
    program: Sequence[str] = PROGRAM,
    metrics_ports: Mapping[str, int] | None = None,
) -> list[Process]:
    """Return the processes of services, not yet started.

    Args:
        env: The environment, which contains the settings.
        names: The services.
        cwd: Working directory; that of this process if None.
        logs: Folder of the log files; without one the processes write to our output.
        program: The command that starts a service, without its name.
        metrics_ports: The port at which each service exports its metrics; without one it exports none.
    """
    ports = metrics_ports or {}

    def process(name: str) -> Process:
        port = {"BULKFAX_METRICS_PORT": str(ports.get(name, 0))}
        return Process(name, [*program, name], env={**env, **port}, cwd=cwd, log=logs / f"{name}.log" if logs else None)

    return [process(name) for name in names]


def emulator_command(arguments: Sequence[str]) -> list[str]:
    """Return the command that starts the emulator."""
    return [sys.executable, "-m", "dispatcher.emulator", *arguments]


def environment_without_settings() -> dict[str, str]:
    """Return our environment without the user's settings, so that no child process reaches the real provider."""
    return {
        name: value for name, value in os.environ.items() if name in _KEPT_SETTINGS or not name.startswith("BULKFAX_")
    }


def wait_until_ready(url: str, supervisor: LocalSupervisor, stop: threading.Event) -> None:
    """Wait until web reports that it is ready, or until ``stop`` is set.

    Raises:
        StartFailed: A process ended before that, or it took more than ``READY_TIMEOUT_S`` seconds.
    """
    end_s = time.monotonic() + READY_TIMEOUT_S
    reason = "it does not answer"
    with Client(url, patience_s=0) as client:
        while not stop.wait(_POLL_S):
            if dead := supervisor.first_dead():
                words = dead.last_words() or "its own words above say why"
                raise StartFailed(f"{dead.name} {dead.how_it_ended()} before everything ran: {words}")
            try:
                readiness = client.ready()
            except ClientError:
                pass
            else:
                if readiness.ready:
                    return
                reason = readiness.reason
            if time.monotonic() > end_s:
                raise StartFailed(f"web was not ready after {READY_TIMEOUT_S:.0f} s: {reason}")
