"""The supervisor of worker processes: ``bulkfax worker``.

Each process is independent: one that dies is started again at once and disturbs no other. Every process holds the
reading end of a pipe that only the supervisor can write to: when the supervisor is gone, however it ended, they read
the end of the file and stop by themselves.
"""

import argparse
import asyncio
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import structlog

from dispatcher.logs import configure_logs
from dispatcher.registry import open_registry
from dispatcher.settings import Settings, SettingsError, load_settings
from workers import identity
from workers.identity import Identity

#: waits before restarts after quick deaths in a row: doubled from the first to the last
FIRST_BACKOFF_S, LAST_BACKOFF_S = 0.05, 3.0
#: a process that ran this long before it died is started again at once
STEADY_S = 3.0
#: how long a supervisor that stops waits until the end of its processes is reported
_REPORT_S = 2.0
#: what a process runs
PROGRAM = (sys.executable, "-m", "workers.process")

#: called with the identity of a process that has ended
ReportEnd = Callable[[Identity], Awaitable[None]]

log = structlog.get_logger(__name__)


def backoff_s(quick_deaths: int) -> float:
    """Seconds before the next start after so many quick deaths in a row: none after the first."""
    if quick_deaths <= 1:
        return 0.0
    return min(LAST_BACKOFF_S, FIRST_BACKOFF_S * 2.0 ** min(quick_deaths - 2, 16))


async def _report_nothing(_: Identity) -> None:
    return


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to keep running: one process for each name. ``stop_s`` is how long a process may take to end."""

    names: Sequence[str]
    stop_s: float
    program: Sequence[str] = PROGRAM
    report_end: ReportEnd = _report_nothing


async def supervise(plan: Plan, stop: asyncio.Event) -> None:
    """Keep the processes of the plan running until ``stop`` is set; then ask each to stop, and wait for it."""
    lifeline, held = os.pipe()
    try:
        async with asyncio.TaskGroup() as slots:
            running = [_Slot(name, plan, lifeline) for name in plan.names]
            for slot in running:
                slots.create_task(slot.keep(stop))
        await asyncio.gather(*(slot.reports_sent() for slot in running))
    finally:
        os.close(lifeline)
        os.close(held)


class _Slot:
    """One place for a process, under one name."""

    def __init__(self, name: str, plan: Plan, lifeline: int) -> None:
        self._name = name
        self._plan = plan
        self._lifeline = lifeline
        self._quick_deaths = 0
        self._reports = set[asyncio.Task[None]]()

    async def keep(self, stop: asyncio.Event) -> None:
        stopping = asyncio.create_task(stop.wait())
        try:
            while not stop.is_set():
                wait_s = await self._run_once(stopping)
                await asyncio.wait([stopping], timeout=wait_s)
        finally:
            stopping.cancel()

    async def _run_once(self, stopping: "asyncio.Task[bool]") -> float:
        """Run a process until it ends. Returns the seconds to wait before the next one."""
        started_s, who = time.monotonic(), Identity(self._name, identity.new_instance())
        process = await self._start(who)
        ended = asyncio.create_task(process.wait())
        try:
            await asyncio.wait([ended, stopping], return_when=asyncio.FIRST_COMPLETED)
            if not ended.done():
                await self._end(process, ended)
                return 0.0
        finally:
            if not ended.done():
                process.kill()
                await ended
            self._report(who)
        return self._put_off(process, time.monotonic() - started_s)

    async def _start(self, who: Identity) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *self._plan.program,
            *("--lifeline", str(self._lifeline)),
            stdin=asyncio.subprocess.DEVNULL,
            env={**os.environ, identity.NAME: who.name, identity.INSTANCE: who.instance},
            pass_fds=[self._lifeline],
        )

    async def _end(self, process: asyncio.subprocess.Process, ended: "asyncio.Task[int]") -> None:
        with suppress(ProcessLookupError):
            process.terminate()
        await asyncio.wait([ended], timeout=self._plan.stop_s)
        if not ended.done():
            log.error("a worker process did not stop in time and is killed", worker=self._name, pid=process.pid)

    def _put_off(self, process: asyncio.subprocess.Process, ran_s: float) -> float:
        self._quick_deaths = 1 if ran_s >= STEADY_S else self._quick_deaths + 1
        wait_s = backoff_s(self._quick_deaths)
        how = how_it_ended(process.returncode or 0)
        log.error(
            "a worker process ended and is started again", worker=self._name, pid=process.pid, how=how, wait_s=wait_s
        )
        return wait_s

    def _report(self, who: Identity) -> None:
        """Beside the next start, which waits for no store."""
        report = asyncio.create_task(self._send_report(who))
        self._reports.add(report)
        report.add_done_callback(self._reports.discard)

    async def reports_sent(self) -> None:
        """Wait for the last ones, not long."""
        if self._reports:
            await asyncio.wait(self._reports, timeout=_REPORT_S)

    async def _send_report(self, who: Identity) -> None:
        try:
            await self._plan.report_end(who)
        except Exception as error:  # noqa: BLE001  # whatever it is, the process has to be started again
            log.warning("the end of a worker process could not be reported", worker=who.name, error=str(error))


def how_it_ended(code: int) -> str:
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"status {code}"


def main() -> int:
    """Exit status 0 after a stop, 1 with a sentence when it cannot start."""
    options = _options()
    try:
        settings = load_settings()
        configure_logs(settings)
        with identity.service_names(settings.redis_url, options.processes) as names:
            asyncio.run(_serve(settings, names, options))
    except SettingsError as error:
        print(f"worker: {error}", file=sys.stderr)  # noqa: T201  # whoever starts us reads it
        return 1
    return 0


async def _serve(settings: Settings, names: Sequence[str], options: argparse.Namespace) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with open_registry(settings) as registry:

        async def report_end(who: Identity) -> None:
            await registry.report_end(who.name, who.instance)

        program = options.program or PROGRAM
        await supervise(Plan(names=names, stop_s=options.stop_s, program=program, report_end=report_end), stop)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="workers.supervisor")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--stop-s", type=float, default=30.0, help="seconds that a process may take to end")
    parser.add_argument("program", nargs="*", help="what each process runs")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
