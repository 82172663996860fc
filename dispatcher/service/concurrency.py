"""Limits one worker process to a number of concurrent requests, and adapts how many of them may be starting.

A send is *starting* from the moment it is granted a slot until its first byte leaves. How many sends may be starting
follows AIMD (additive increase, multiplicative decrease): the limit is halved when a send leaves late in its send
window, and grows by one after that many sends have left in time.

A lease that finds no room waits here, before ``begin``. A job that has begun must leave within its send window; one
that cannot goes back to waiting, and its permit is lost.
"""

import asyncio
from dataclasses import dataclass

#: sends that may be starting: at first, at least and at most. A process that reaches its sends late lets fewer start,
#: until they leave early in their windows again.
INITIAL_STARTING, MIN_STARTING, MAX_STARTING = 16, 8, 64
#: More bulk work begins when the last slot granted to this process is at most this far ahead (seconds). Each job that
#: begins takes a slot, and urgent work gets its slots behind all of them.
NEAR_S = 0.1
#: calls that only urgent jobs may make, at most a quarter of the calls that a process may make at a time
URGENT_RESERVE = 8
#: The smallest number of a lease's jobs that begin together, if it has as many: eight, but at most a quarter of all
#: calls. Otherwise a single call that hangs would make all others wait.
_MIN_PIECE, _PIECES = 8, 4


class ConcurrencyLimiter:
    """Hands out tokens for at most ``calls`` concurrent calls. Belongs to one event loop."""

    def __init__(self, calls: int) -> None:
        self._calls = calls
        self._reserve = min(URGENT_RESERVE, calls // 4)
        self._running = 0
        self._starting = 0
        self._max_starting = float(INITIAL_STARTING)
        #: counts the cuts: of all tokens handed out before a cut, only one can cause it
        self._epoch = 0
        #: by the event loop's clock, when the last slot granted to bulk work is near
        self._near_s = 0.0
        self._changed = asyncio.Event()
        # each class has a queue of its own, so that urgent jobs do not wait behind bulk jobs
        self._queues = {False: asyncio.Lock(), True: asyncio.Lock()}

    async def acquire(self, jobs: int, *, urgent: bool) -> "list[ConcurrencyToken]":
        """Wait for room, then return tokens for ``jobs``, or for fewer when there is less room.

        Returns no more tokens than there are free calls: a job that begins without one would miss its slot.
        """
        max_calls = self._calls if urgent else self._calls - self._reserve
        piece = min(jobs, _MIN_PIECE, max(1, max_calls // _PIECES))
        async with self._queues[urgent]:
            if not urgent:
                await asyncio.sleep(self._near_s - asyncio.get_running_loop().time())
            while (room := self._room(urgent)) < piece and self._running:
                self._changed.clear()
                await self._changed.wait()
        count = min(jobs, max(room, piece))
        self._running += count
        self._starting += count
        return [ConcurrencyToken(self, self._epoch) for _ in range(count)]

    def _room(self, urgent: bool) -> int:
        if urgent:
            return self._calls - self._running
        return min(self._calls - self._reserve - self._running, int(self._max_starting) - self._starting)

    @property
    def room(self) -> int:
        """Calls that could begin now."""
        return max(0, self._calls - self._running)

    def delay_bulk(self, slot_in_s: float) -> None:
        """Let bulk work wait until its last slot, which is ``slot_in_s`` seconds ahead, is near."""
        self._near_s = max(self._near_s, asyncio.get_running_loop().time() + slot_in_s - NEAR_S)

    def count_sent(self, epoch: int, *, late: bool) -> None:
        """Count a request that was written. If late in its send window, halve the start limit, else grow it slowly."""
        self.count_started()
        if not late:
            self._max_starting = min(self._max_starting + 1 / self._max_starting, MAX_STARTING)
        elif epoch == self._epoch:
            self._max_starting = max(self._max_starting / 2, MIN_STARTING)
            self._epoch += 1

    def count_started(self) -> None:
        """Count a call that is not starting any more, whether it was sent or not."""
        self._starting -= 1
        self._changed.set()

    def count_ended(self) -> None:
        """Count a call that has ended."""
        self._running -= 1
        self._changed.set()


@dataclass(slots=True, eq=False)
class ConcurrencyToken:
    """The right to make one call. Mark it sent with the first byte and end it after the call; both may be repeated."""

    limiter: ConcurrencyLimiter
    epoch: int
    has_been_sent: bool = False
    has_ended: bool = False

    def mark_sent(self, *, late: bool) -> None:
        """Note that the request leaves; ``late`` when so near the window's end that the next ones could miss theirs."""
        if not self.has_been_sent:
            self.has_been_sent = True
            self.limiter.count_sent(self.epoch, late=late)

    def end(self) -> None:
        """Give the token back."""
        if not self.has_been_sent:
            self.has_been_sent = True
            self.limiter.count_started()
        if not self.has_ended:
            self.has_ended = True
            self.limiter.count_ended()
