"""The scheduler process: leases due jobs and sends messages to the workers.

Several schedulers may run.

It sleeps until the next job is due, or until a script wakes it because a job has become due earlier.
"""

import asyncio
import math
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import structlog
from dramatiq import Actor

from dispatcher.alive import AliveFile
from dispatcher.core.batch import Priority
from dispatcher.core.failpoints import FailpointHook, no_failpoint
from dispatcher.logs import configure_logs, report_failure
from dispatcher.runtime import NextDue, Queues, Runtime, make_queues, open_runtime
from dispatcher.service.errors import StoreError
from dispatcher.service.scheduling import DueTasks
from dispatcher.settings import Settings, SettingsError, load_settings
from workers.actors import Actors, declare
from workers.broker import make_broker
from workers.webhook_thread import WebhookThread

#: pause between two turns, in seconds: while there is work, and while due work is blocked
_BUSY_S, _BLOCKED_S = 0.05, 0.2
#: minimum time between two turns, in seconds: faxes that arrive together share a turn
_MIN_INTERVAL_S = 0.01
#: pause between two attempts to reach Redis, in seconds
_UNAVAILABLE_S = 0.2
#: maximum time between two turns, in seconds: while jobs are leased, and while none are
_MAX_INTERVAL_LEASED_S, _MAX_INTERVAL_S = 1.0, 10.0
#: maximum jobs in a message to ``reconcile``, and maximum number of such messages in the queue
_MAX_JOBS_PER_MESSAGE, _MAX_RECONCILE_MESSAGES = 250, 4
#: number of events for each message to ``settle_events``, and maximum number of such messages in the queue
_EVENTS_PER_MESSAGE, _MAX_SETTLE_MESSAGES = 500, 4

log = structlog.get_logger(__name__)


def _ignore(_: float) -> None:
    """Count nothing."""


class SchedulerLoop:
    """Takes turns of leasing due jobs and sending messages, and sleeps in between."""

    def __init__(
        self, runtime: Runtime, actors: Actors, queues: Queues, count_turn: Callable[[float], None] = _ignore
    ) -> None:
        """``count_turn`` is called with the seconds of each turn."""
        self._alive = AliveFile(runtime.settings.alive_dir, "scheduler")
        self._scheduler = runtime.scheduler
        self._wakes = runtime.store.wakes
        self._actors = actors
        self._queues = queues
        self._count_turn = count_turn
        self._stop = asyncio.Event()
        self._last_turn_s = -math.inf
        #: whether a job may be due that the last turn did not lease
        self._turn_needed = True
        self._unavailable = False

    def stop(self) -> None:
        """Lease no more jobs.

        Jobs of leases that were not sent to a worker become due again.
        """
        self._stop.set()

    async def run(self) -> None:
        """Run until ``stop`` is called."""
        stopping = asyncio.create_task(self._stop.wait())
        while not self._stop.is_set():
            self._alive.touch()
            sleep_s = await self._unless_unavailable(self._turn())
            sleep = asyncio.create_task(self._unless_unavailable(self._sleep(sleep_s)))
            await asyncio.wait([sleep, stopping], return_when=asyncio.FIRST_COMPLETED)
            if not sleep.done():
                sleep.cancel()
                break
            await sleep
        stopping.cancel()

    async def _unless_unavailable(self, step: Awaitable[float]) -> float:
        """Run a step.

        If Redis is unavailable, log that once and return after a short pause.
        """
        try:
            sleep_s = await step
        except StoreError as error:
            if not self._unavailable:
                log.warning("Redis is away, looking again soon", error=str(error))
            self._unavailable = self._turn_needed = True
            await asyncio.sleep(_UNAVAILABLE_S)
            return 0.0
        self._unavailable = False
        return sleep_s

    async def _turn(self) -> float:
        """Lease what is due and send messages.

        Returns:
            The seconds to sleep, unless a script wakes the scheduler earlier.
        """
        if not self._turn_needed:
            due = await self._wakes.next_due(in_flight=self._scheduler.steady)
            if (sleep_s := self._idle_s(due)) > 0:
                return sleep_s
        self._last_turn_s = time.monotonic()
        urgent = await self._send_in_thread(await self._scheduler.lease_urgent())
        self._turn_needed = await self._send_in_thread(await self._scheduler.tick()) or urgent
        self._count_turn(time.monotonic() - self._last_turn_s)
        if self._turn_needed:
            return _BUSY_S
        due = await self._wakes.next_due(in_flight=self._scheduler.steady)
        self._turn_needed = due.in_s == 0
        return self._idle_s(due) or (_BUSY_S if due.leased else _BLOCKED_S)

    def _idle_s(self, due: NextDue) -> float:
        """Return the seconds until the next turn; 0 if something is due or the maximum interval has passed.

        Slots that become free shortly after each other share a turn.
        """
        turn_s = self._last_turn_s + (_MAX_INTERVAL_LEASED_S if due.leased else _MAX_INTERVAL_S) - time.monotonic()
        due_s = math.inf if due.in_s is None else due.in_s
        return max(0.0, min(turn_s, due_s and max(due_s, _BUSY_S)))

    async def _sleep(self, seconds: float) -> float:
        await asyncio.sleep(self._last_turn_s + _MIN_INTERVAL_S - time.monotonic())
        if await self._wakes.wait(seconds):
            self._turn_needed = True
        return 0.0

    async def _send_in_thread(self, work: DueTasks) -> bool:
        """Send messages in a thread, because the client of the queues blocks."""
        return bool(work) and await asyncio.to_thread(self._send_messages, work)

    def _send_messages(self, work: DueTasks) -> bool:
        """Send the messages for due work.

        Returns:
            False if there was none to send.
        """
        for priority, lease_id in work.leases:
            submit = self._actors.submit_urgent if priority is Priority.URGENT else self._actors.submit
            submit.send(lease_id)
        jobs = [str(job) for job in work.reconcile]
        messages = [jobs[start : start + _MAX_JOBS_PER_MESSAGE] for start in range(0, len(jobs), _MAX_JOBS_PER_MESSAGE)]
        # the other jobs become due again; so the queue does not grow while no worker takes its messages
        messages = messages[: self._queue_room(self._actors.reconcile, _MAX_RECONCILE_MESSAGES)] if messages else []
        for message in messages:
            self._actors.reconcile.send(message)
        needed = min(_MAX_SETTLE_MESSAGES, -(-work.events // _EVENTS_PER_MESSAGE))
        consumers = self._queue_room(self._actors.settle_events, needed) if needed else 0
        for _ in range(consumers):
            self._actors.settle_events.send()
        return bool(work.leases or messages or consumers)

    def _queue_room(self, actor: Actor[..., Any], max_messages: int) -> int:
        """Return how many more messages fit into the queue of an actor that may hold ``max_messages``."""
        queue = actor.queue_name
        return max(0, max_messages - self._queues.lengths([queue])[queue])


async def serve(failpoint: FailpointHook = no_failpoint) -> None:
    """Run a scheduler until SIGTERM or SIGINT.

    Args:
        failpoint: Called at the failpoints, for tests.

    Raises:
        SettingsError: the settings are invalid.
        StoreError: the store cannot be used.
    """
    settings = load_settings()
    configure_logs(settings, "scheduler")
    async with open_runtime(settings, failpoint) as runtime, _exported(settings, runtime) as count_turn:
        queues = make_queues(settings)
        scheduler = SchedulerLoop(runtime, declare(make_broker(queues), runtime), queues, count_turn)
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, scheduler.stop)
        recovery = asyncio.create_task(runtime.recovery.run())
        webhooks = WebhookThread(settings)
        webhooks.start()
        try:
            await scheduler.run()
        finally:
            recovery.cancel()
            await asyncio.wait([recovery])
            await asyncio.to_thread(webhooks.stop)


@asynccontextmanager
async def _exported(settings: Settings, runtime: Runtime) -> AsyncIterator[Callable[[float], None]]:
    """Export the metrics of this process, if the settings name a port. Yields what counts the scheduler's turns."""
    if not settings.metrics_port:
        yield _ignore
        return
    from dispatcher.metrics.process import ProcessMetrics, TurnMetrics  # late, both: a port is what they are for
    from dispatcher.metrics.server import serve_metrics

    metrics = ProcessMetrics("scheduler")
    turns = TurnMetrics(metrics.registry)
    async with metrics.watching(runtime.sinch, runtime.store, runtime.permits):
        await asyncio.to_thread(serve_metrics, metrics, settings)  # asks for the name of the host, which may hang
        yield turns.count


def main() -> int:
    """Run a scheduler.

    Returns:
        The exit status: 0 after a stop, 1 with a message on standard error if the scheduler cannot start.
    """
    try:
        asyncio.run(serve())
    except (SettingsError, StoreError) as error:
        report_failure("scheduler", str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
