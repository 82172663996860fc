"""Tells producers when the deadline of a batch is at risk."""

import math
from collections.abc import Callable

from dispatcher.core.batch_events import risks
from dispatcher.store.store import Store

#: seconds between two looks
_LOOK_S = 30.0


class DeadlineWatch:
    """Looks at the soonest deadlines now and then. Several may run."""

    def __init__(self, store: Store, clock: Callable[[], float]) -> None:
        """Create it. ``clock`` is a steady clock in seconds."""
        self._store = store
        self._clock = clock
        self._looked_s = -math.inf

    async def look(self, now_ms: int, rate: float) -> None:
        """Append an event for each deadline that is at risk and was not told of. ``rate`` is the account's."""
        if self._clock() - self._looked_s < _LOOK_S:
            return
        for risk in risks(await self._store.events.deadlines(), now_ms, rate):
            await self._store.events.announce_risk(risk)
        self._looked_s = self._clock()
