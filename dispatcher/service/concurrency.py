"""Room in one process for sends: so many calls at a time, and only so many that have yet to leave.

A lease that finds no room waits here, before ``begin``: what has begun has to leave within its send window, and a job
that cannot would only go back and cost the permit that it was given.
"""

import asyncio
from dataclasses import dataclass

#: sends that may be granted and not have left yet: at first, at the least, at the most. A process that gets to its
#: sends late lets fewer of them begin, until they leave early in their windows again.
FIRST_STARTING, LEAST_STARTING, MOST_STARTING = 16, 8, 64
#: seconds that the last slot granted to this process may be ahead when more bulk work begins: what begins holds a slot,
#: and urgent work comes after all of them
NEAR_S = 0.1
#: calls that only urgent jobs may make, of those that a process may make at a time (at most a quarter)
URGENT_RESERVE = 8
#: a lease goes through in pieces of this size at the least, where it has as many; and where that is no more than a part
#: of the calls: else a single call that hangs would keep all the others waiting
_PIECE, _PIECES = 8, 4


class ConcurrencyLimiter:
    """Passes for ``calls`` calls at a time. Belongs to one event loop."""

    def __init__(self, calls: int) -> None:
        self._calls = calls
        self._reserve = min(URGENT_RESERVE, calls // 4)
        self._under_way = 0
        self._starting = 0
        self._most_starting = float(FIRST_STARTING)
        #: counts the cuts: of all passes that were given before a cut, one alone can cause it
        self._epoch = 0
        #: by the event loop's clock, when the last slot granted to bulk work is near
        self._near_s = 0.0
        self._changed = asyncio.Event()
        # each class waits in a line of its own, so that urgent jobs do not stand behind the others
        self._lines = {False: asyncio.Lock(), True: asyncio.Lock()}

    async def enter(self, jobs: int, *, urgent: bool) -> "list[ConcurrencyToken]":
        """Wait for room; then passes for ``jobs`` or, when there is less room, for as many as a piece at the least.

        Never for more than there are calls: what begins and finds no call would only miss its slot.
        """
        most = self._calls if urgent else self._calls - self._reserve
        piece = min(jobs, _PIECE, max(1, most // _PIECES))
        async with self._lines[urgent]:
            if not urgent:
                await asyncio.sleep(self._near_s - asyncio.get_running_loop().time())
            while (room := self._room(urgent)) < piece and self._under_way:
                self._changed.clear()
                await self._changed.wait()
        granted = min(jobs, max(room, piece))
        self._under_way += granted
        self._starting += granted
        return [ConcurrencyToken(self, self._epoch) for _ in range(granted)]

    def _room(self, urgent: bool) -> int:
        if urgent:
            return self._calls - self._under_way
        return min(self._calls - self._reserve - self._under_way, int(self._most_starting) - self._starting)

    @property
    def room(self) -> int:
        """Calls that could begin now."""
        return max(0, self._calls - self._under_way)

    def granted(self, slot_in_s: float) -> None:
        """Bulk work was granted a slot so far ahead: what comes after it waits until it is near."""
        self._near_s = max(self._near_s, asyncio.get_running_loop().time() + slot_in_s - NEAR_S)

    def left(self, epoch: int, *, late: bool) -> None:
        """One of those inside has left, ``late`` in its window: half as many may start, or by and by one more."""
        self.stopped_starting()
        if not late:
            self._most_starting = min(self._most_starting + 1 / self._most_starting, MOST_STARTING)
        elif epoch == self._epoch:
            self._most_starting = max(self._most_starting / 2, LEAST_STARTING)
            self._epoch += 1

    def stopped_starting(self) -> None:
        self._starting -= 1
        self._changed.set()

    def ended(self) -> None:
        """One of those inside is done."""
        self._under_way -= 1
        self._changed.set()


@dataclass(slots=True, eq=False)
class ConcurrencyToken:
    """The right to make one call: ``leave`` with its first byte, ``end`` when all is over. Both may be repeated."""

    limiter: ConcurrencyLimiter
    epoch: int
    has_been_sent: bool = False
    has_ended: bool = False

    def mark_sent(self, *, late: bool) -> None:
        """``late``: so late in its window that the next ones could miss theirs."""
        if not self.has_been_sent:
            self.has_been_sent = True
            self.limiter.left(self.epoch, late=late)

    def end(self) -> None:
        if not self.has_been_sent:
            self.has_been_sent = True
            self.limiter.stopped_starting()
        if not self.has_ended:
            self.has_ended = True
            self.limiter.ended()
