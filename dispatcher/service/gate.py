"""Room in one process for sends: so many calls at a time, and only so many that have yet to leave.

A lease that finds no room waits here, before ``begin``: what has begun has to leave within its send window, and a job
that cannot would only go back and cost the permit that it was given.
"""

import asyncio
from dataclasses import dataclass

#: sends that may be granted and not have left yet. Each takes some 2 ms of processor time, so that the last of them
#: leaves long before its send window is over.
MOST_STARTING = 64
#: calls that only urgent jobs may make, of those that a process may make at a time (at most a quarter)
URGENT_RESERVE = 8
#: a lease goes through in pieces of this size at the least, where it has as many
_PIECE = 8


class Gate:
    """Passes for ``calls`` calls at a time. Belongs to one event loop."""

    def __init__(self, calls: int) -> None:
        self._calls = calls
        self._reserve = min(URGENT_RESERVE, calls // 4)
        self._under_way = 0
        self._starting = 0
        self._changed = asyncio.Event()
        # each class waits in a line of its own, so that urgent jobs do not stand behind the others
        self._lines = {False: asyncio.Lock(), True: asyncio.Lock()}

    async def enter(self, jobs: int, *, urgent: bool) -> "list[Pass]":
        """Wait for room; then passes for ``jobs`` or, when there is less room, for as many as a piece at the least."""
        piece = min(jobs, _PIECE)
        async with self._lines[urgent]:
            while (room := self._room(urgent)) < piece and self._under_way:
                self._changed.clear()
                await self._changed.wait()
        granted = min(jobs, max(room, piece))
        self._under_way += granted
        self._starting += granted
        return [Pass(self) for _ in range(granted)]

    def _room(self, urgent: bool) -> int:
        if urgent:
            return self._calls - self._under_way
        return min(self._calls - self._reserve - self._under_way, MOST_STARTING - self._starting)

    def left(self) -> None:
        """One of those inside has left."""
        self._starting -= 1
        self._changed.set()

    def ended(self) -> None:
        """One of those inside is done."""
        self._under_way -= 1
        self._changed.set()


@dataclass(slots=True, eq=False)
class Pass:
    """The right to make one call: ``leave`` with its first byte, ``end`` when all is over. Both may be repeated."""

    gate: Gate
    has_left: bool = False
    has_ended: bool = False

    def leave(self) -> None:
        if not self.has_left:
            self.has_left = True
            self.gate.left()

    def end(self) -> None:
        self.leave()
        if not self.has_ended:
            self.has_ended = True
            self.gate.ended()
