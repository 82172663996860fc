"""The scheduler process: looks at what is due and tells the workers. Any number of them may run."""

import asyncio
import signal
import sys

import structlog

from dispatcher.core.batch import Priority
from dispatcher.core.points import At
from dispatcher.logs import configure_logs
from dispatcher.runtime import make_queues, open_runtime
from dispatcher.service.errors import StoreError
from dispatcher.service.upkeep import Upkeep, Work
from dispatcher.settings import SettingsError, load_settings
from workers.actors import Actors, declare
from workers.broker import make_broker

#: between two looks: while there is work, and while there is none; and while Redis is away
_BUSY_S, _IDLE_S, _AWAY_S = 0.05, 0.2, 1.0
#: jobs that one message asks to be looked at
_LOOK_AT_MOST = 250
#: events for which another consumer is called
_EVENTS_EACH, _CONSUMERS = 500, 4

log = structlog.get_logger(__name__)


class Scheduler:
    def __init__(self, upkeep: Upkeep, actors: Actors) -> None:
        self._upkeep = upkeep
        self._actors = actors
        self._stop = asyncio.Event()

    def stop(self) -> None:
        """Claim nothing more; what was leased and not told comes back by itself."""
        self._stop.set()

    async def run(self) -> None:
        while not self._stop.is_set():
            pause_s = await self._step()
            try:
                await asyncio.wait_for(self._stop.wait(), pause_s)
            except TimeoutError:
                continue

    async def _step(self) -> float:
        try:
            work = await self._upkeep.due()
            # the broker's client blocks; a message is a fraction of a millisecond
            await asyncio.to_thread(self._tell, work)
        except StoreError as error:
            log.warning("Redis is away, looking again soon", error=str(error))
            return _AWAY_S
        return _BUSY_S if work else _IDLE_S

    def _tell(self, work: Work) -> None:
        for priority, lease_id in work.leases:
            submit = self._actors.submit_urgent if priority is Priority.URGENT else self._actors.submit
            submit.send(lease_id)
        names = [str(job) for job in work.look_at]
        for start in range(0, len(names), _LOOK_AT_MOST):
            self._actors.look_at.send(names[start : start + _LOOK_AT_MOST])
        for _ in range(min(_CONSUMERS, -(-work.events // _EVENTS_EACH))):
            self._actors.settle_events.send()


async def serve(at: At | None = None) -> None:
    """Run until SIGTERM or SIGINT. Raises SettingsError and StoreError when it cannot start. ``at`` is for tests."""
    settings = load_settings()
    configure_logs(settings)
    async with open_runtime(settings, at) as runtime:
        scheduler = Scheduler(runtime.upkeep, declare(make_broker(make_queues(settings)), runtime))
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, scheduler.stop)
        await scheduler.run()


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
