"""The scheduler process: looks at what is due and tells the workers. Any number of them may run.

It sleeps until the next entry is due, or until a script wakes it because something is due earlier.
"""

import asyncio
import math
import signal
import sys
import time
from collections.abc import Awaitable
from typing import Any

import structlog
from dramatiq import Actor

from dispatcher.core.batch import Priority
from dispatcher.core.failpoints import FailpointHook
from dispatcher.logs import configure_logs
from dispatcher.runtime import NextDue, Queues, Runtime, make_queues, open_runtime
from dispatcher.service.errors import StoreError
from dispatcher.service.scheduling import DueTasks
from dispatcher.settings import SettingsError, load_settings
from workers.actors import Actors, declare
from workers.broker import make_broker

#: between two looks: while there is work or work is ahead, and while what is due cannot be done yet
_BUSY_S, _BLOCKED_S = 0.05, 0.2
#: between two looks at the least, whoever wakes us: many faxes that come together are one look
_APART_S = 0.01
#: between two tries to reach Redis
_AWAY_S = 0.2
#: a look, whatever is known to be due: while something is leased, and while nothing is
_LOOK_LEASED_S, _LOOK_S = 1.0, 10.0
#: jobs that one message asks to be looked at, and such messages that may lie unread
_LOOK_AT_MOST, _LOOKS_UNREAD = 250, 4
#: events for which another consumer is called
_EVENTS_EACH, _CONSUMERS = 500, 4

log = structlog.get_logger(__name__)


class SchedulerLoop:
    def __init__(self, runtime: Runtime, actors: Actors, queues: Queues) -> None:
        self._upkeep = runtime.scheduler
        self._wakes = runtime.store.wakes
        self._actors = actors
        self._queues = queues
        self._stop = asyncio.Event()
        self._looked_s = -math.inf
        #: whether something may be due that nobody has looked at
        self._look = True
        self._away = False

    def stop(self) -> None:
        """Claim nothing more; what was leased and not told comes back by itself."""
        self._stop.set()

    async def run(self) -> None:
        stopping = asyncio.create_task(self._stop.wait())
        while not self._stop.is_set():
            sleep_s = await self._or_away(self._turn())
            sleep = asyncio.create_task(self._or_away(self._sleep(sleep_s)))
            await asyncio.wait([sleep, stopping], return_when=asyncio.FIRST_COMPLETED)
            if not sleep.done():
                sleep.cancel()
                break
            await sleep
        stopping.cancel()

    async def _or_away(self, step: Awaitable[float]) -> float:
        """A step that Redis kept from being done is tried again soon. One line tells of it, however long that lasts."""
        try:
            sleep_s = await step
        except StoreError as error:
            if not self._away:
                log.warning("Redis is away, looking again soon", error=str(error))
            self._away = self._look = True
            await asyncio.sleep(_AWAY_S)
            return 0.0
        self._away = False
        return sleep_s

    async def _turn(self) -> float:
        """Do what is due. Returns the seconds to sleep, if nobody wakes us before."""
        if not self._look:
            due = await self._wakes.next_due(looks=self._upkeep.steady)
            if (sleep_s := self._nothing_due_s(due)) > 0:
                return sleep_s
        self._looked_s = time.monotonic()
        urgent = await self._announce(await self._upkeep.lease_urgent())
        self._look = await self._announce(await self._upkeep.tick()) or urgent
        if self._look:
            return _BUSY_S
        due = await self._wakes.next_due(looks=self._upkeep.steady)
        self._look = due.in_s == 0
        return self._nothing_due_s(due) or (_BUSY_S if due.leased else _BLOCKED_S)

    def _nothing_due_s(self, due: NextDue) -> float:
        """How long nothing is due; 0 when something is, or when a look is due whatever is known.

        Slots that come free shortly after each other are one look.
        """
        look_s = self._looked_s + (_LOOK_LEASED_S if due.leased else _LOOK_S) - time.monotonic()
        due_s = math.inf if due.in_s is None else due.in_s
        return max(0.0, min(look_s, due_s and max(due_s, _BUSY_S)))

    async def _sleep(self, seconds: float) -> float:
        await asyncio.sleep(self._looked_s + _APART_S - time.monotonic())
        if await self._wakes.wait(seconds):
            self._look = True
        return 0.0

    async def _announce(self, work: DueTasks) -> bool:
        """The queues' client blocks; a message is a fraction of a millisecond."""
        return bool(work) and await asyncio.to_thread(self._tell, work)

    def _tell(self, work: DueTasks) -> bool:
        """Send messages. False when there is nothing to say that was not said."""
        for priority, lease_id in work.leases:
            submit = self._actors.submit_urgent if priority is Priority.URGENT else self._actors.submit
            submit.send(lease_id)
        names = [str(job) for job in work.reconcile]
        looks = [names[start : start + _LOOK_AT_MOST] for start in range(0, len(names), _LOOK_AT_MOST)]
        # jobs that nobody has room to look at come due again; so nothing is said twice to workers that do not listen
        looks = looks[: self._room(self._actors.reconcile, _LOOKS_UNREAD)] if looks else []
        for jobs in looks:
            self._actors.reconcile.send(jobs)
        wanted = min(_CONSUMERS, -(-work.events // _EVENTS_EACH))
        consumers = self._room(self._actors.settle_events, wanted) if wanted else 0
        for _ in range(consumers):
            self._actors.settle_events.send()
        return bool(work.leases or looks or consumers)

    def _room(self, actor: Actor[..., Any], most: int) -> int:
        """How many more messages may be sent to an actor of which ``most`` may lie unread."""
        queue = actor.queue_name
        return max(0, most - self._queues.lengths([queue])[queue])


async def serve(failpoint: FailpointHook | None = None) -> None:
    """Run until SIGTERM or SIGINT. Raises SettingsError and StoreError when it cannot start. ``at`` is for tests."""
    settings = load_settings()
    configure_logs(settings)
    async with open_runtime(settings, failpoint) as runtime:
        queues = make_queues(settings)
        scheduler = SchedulerLoop(runtime, declare(make_broker(queues), runtime), queues)
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, scheduler.stop)
        recovery = asyncio.create_task(runtime.recovery.run())
        try:
            await scheduler.run()
        finally:
            recovery.cancel()
            await asyncio.wait([recovery])


def main() -> int:
    """Exit status 0 after a stop, 1 with a sentence when it cannot start."""
    try:
        asyncio.run(serve())
    except (SettingsError, StoreError) as error:
        print(f"scheduler: {error}", file=sys.stderr)  # noqa: T201  # before logs are set up
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
