"""Lets schedulers sleep until the next entry is due, or until a script wakes them because something is due earlier."""

from dataclasses import dataclass

from dispatcher.store.client import Client
from dispatcher.store.dispatch import HORIZON_US
from dispatcher.store.errors import translated
from dispatcher.store.lua import Scripts
from dispatcher.store.protocol import LONGEST_SLEEP_S

#: minimum timeout in seconds, because a timeout of 0 would mean none
_SHORTEST_S = 0.001


@dataclass(frozen=True, slots=True, kw_only=True)
class NextDue:
    """When the next entry is due, and how many jobs are leased."""

    #: seconds until the next entry is due; 0: now; None: there is none
    in_s: float | None
    #: number of jobs that are leased and not begun
    leased: int


class Wakes:
    def __init__(self, client: Client, scripts: Scripts) -> None:
        self._client = client
        self._scripts = scripts
        self._keys = scripts.keys

    async def next_due(self, *, in_flight: bool = True) -> NextDue:
        """Return when the next entry is due, jobs in flight included unless excluded. Raises StoreError."""
        wait_ms, leased = await self._scripts.run("next_due", horizon_us=HORIZON_US, in_flight=in_flight)
        return NextDue(in_s=None if wait_ms < 0 else wait_ms / 1000, leased=leased)

    async def wait(self, seconds: float) -> bool:
        """Sleep for some seconds, at most ``LONGEST_SLEEP_S``, or until woken. Returns whether a script woke it.

        Wake-ups for schedulers that are awake are removed too, because those check for due work before they sleep.

        Raises:
            StoreError: Redis cannot be used.
        """
        timeout_s = min(max(seconds, _SHORTEST_S), LONGEST_SLEEP_S)
        with translated():
            if await self._client.blpop([self._keys.wake], timeout=timeout_s) is None:
                return False
            await self._client.unlink(self._keys.wake)
        return True

    async def wake(self) -> None:
        """Wake schedulers, as the scripts do."""
        with translated():
            async with self._client.pipeline(transaction=False) as pipe:
                # one element for each of two schedulers, and none for those that are awake
                pipe.lpush(self._keys.wake, 1, 1)
                pipe.ltrim(self._keys.wake, 0, 3)
                await pipe.execute()
