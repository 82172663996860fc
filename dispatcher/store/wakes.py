"""How schedulers sleep: until the next entry is due, or until a script wakes them because something is due earlier."""

from dataclasses import dataclass

from dispatcher.store.client import Client
from dispatcher.store.dispatch import HORIZON_US
from dispatcher.store.errors import translated
from dispatcher.store.lua import Scripts
from dispatcher.store.protocol import LONGEST_SLEEP_S

#: a wait of 0 would be one without end
_SHORTEST_S = 0.001


@dataclass(frozen=True, slots=True, kw_only=True)
class NextDue:
    """What a scheduler knows before it sleeps."""

    #: seconds until the next entry is due; 0: now. None when there is none
    in_s: float | None
    #: jobs that are leased and not begun
    leased: int


class Wakes:
    def __init__(self, client: Client, scripts: Scripts) -> None:
        self._client = client
        self._scripts = scripts
        self._keys = scripts.keys

    async def next_due(self, *, looks: bool = True) -> NextDue:
        """``looks``: whether what was sent or accepted may be looked for, as for ``reclaim``. Raises StoreError."""
        wait_ms, leased = await self._scripts.run("next_due", horizon_us=HORIZON_US, looks=looks)
        return NextDue(in_s=None if wait_ms < 0 else wait_ms / 1000, leased=leased)

    async def wait(self, seconds: float) -> bool:
        """Sleep so long, at most ``LONGEST_SLEEP_S``, or until someone is woken. True when that is us.

        Words for others who are awake are taken away with ours: whoever is awake looks before it sleeps. Raises
        StoreError.
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
                # one word for each of two schedulers, and none for those who are awake
                pipe.lpush(self._keys.wake, 1, 1)
                pipe.ltrim(self._keys.wake, 0, 3)
                await pipe.execute()
