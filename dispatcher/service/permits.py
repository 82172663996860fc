"""Permits of the account's pace for reads, and what a refusal does to it.

Any number of reads wait here, and one task asks the store for all of them: in turns for each kind of read, and only
while there is a connection for the next one, so that no permit is taken and left unused.
"""

import asyncio
import math
import random
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial

from dispatcher.service.batching import retry_forever
from dispatcher.store.errors import StoreError
from dispatcher.store.rate_limiter import Permit, RateLimiter

#: seconds; no read waits longer than this for its permit
LONGEST_WAIT_S = 30.0
#: seconds between two questions to the store at most: what was far away can come near when a limit is raised
_ASK_AGAIN_S = 1.0


class NoPermit(Exception):
    """Raised when no permit came in time; the read is made another time."""


class Stopping(NoPermit):
    """Raised when the process is about to stop: another one makes the read."""


class ReadKind(StrEnum):
    """What a read is for. Each kind has its turn, so that many of one keep no other away."""

    #: a page of a list that tells of many faxes
    WINDOW = "window"
    #: the list of one number, for a send of unclear end
    NUMBER = "number"
    #: one fax by its id
    FAX = "fax"


@dataclass(slots=True, eq=False)
class _WaitingRead:
    #: by the monotonic clock
    until_s: float
    granted: "asyncio.Future[Permit]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class ReadPermits:
    """Belongs to one event loop."""

    def __init__(self, limiter: RateLimiter, *, at_once: int) -> None:
        """``at_once`` reads are made at a time."""
        self._limiter = limiter
        self._free = at_once
        self._freed = asyncio.Event()
        self._lines = {kind: deque[_WaitingRead]() for kind in ReadKind}
        self._asking: asyncio.Task[None] | None = None
        self._closed = False

    def close(self) -> None:
        """The process is about to stop: whoever waits, or comes later, gets no permit (``Stopping``)."""
        self._closed = True
        self._refuse(math.inf)

    @property
    def closed(self) -> bool:
        return self._closed

    @asynccontextmanager
    async def read(self, kind: ReadKind) -> AsyncIterator[int]:
        """Wait for the slot of one read; gives the epoch that its permit belongs to. Raises NoPermit and StoreError."""
        permit = await self._wait(kind)
        try:
            await asyncio.sleep(permit.wait_s)
            yield permit.epoch
        finally:
            self._release()

    async def slow_down(self, epoch: int, retry_after_s: float | None) -> None:
        """The provider answered 429, or 503 with a time, to a request of that epoch."""
        await retry_forever(partial(self._limiter.slow_down, epoch, retry_after_s, random.random()))

    async def _wait(self, kind: ReadKind) -> Permit:
        if self._closed:
            raise Stopping
        waiting = _WaitingRead(time.monotonic() + LONGEST_WAIT_S)
        self._lines[kind].append(waiting)
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask())
        try:
            return await waiting.granted
        except asyncio.CancelledError:
            if waiting.granted.done() and not waiting.granted.cancelled() and not waiting.granted.exception():
                self._release()
            raise

    def _release(self) -> None:
        self._free += 1
        self._freed.set()

    async def _ask(self) -> None:
        while self._refuse(time.monotonic()):
            if not self._free:
                await self._connection()
                continue
            try:
                permit = await self._limiter.take_permit()
            except StoreError as error:
                self._fail(error)
                return
            if permit.granted:
                self._grant(permit)
            else:
                self._refuse(time.monotonic() + permit.wait_s)
                await asyncio.sleep(min(permit.wait_s, _ASK_AGAIN_S))

    async def _connection(self) -> None:
        self._freed.clear()
        try:
            await asyncio.wait_for(self._freed.wait(), _ASK_AGAIN_S)
        except TimeoutError:
            return

    def _grant(self, permit: Permit) -> None:
        """To the first of the kind whose turn it is; nobody may be left."""
        for kind in list(self._lines):
            line = self._lines.pop(kind)
            self._lines[kind] = line
            while line:
                waiting = line.popleft()
                if not waiting.granted.done():
                    self._free -= 1
                    waiting.granted.set_result(permit)
                    return

    def _refuse(self, at_s: float) -> bool:
        """Those who do not wait until then get no permit. Whether anybody is left."""
        for line in self._lines.values():
            while line and (line[0].until_s < at_s or line[0].granted.done()):
                waiting = line.popleft()
                if not waiting.granted.done():
                    waiting.granted.set_exception(Stopping() if self._closed else NoPermit())
        return any(self._lines.values())

    def _fail(self, error: StoreError) -> None:
        for line in self._lines.values():
            while line:
                waiting = line.popleft()
                if not waiting.granted.done():
                    waiting.granted.set_exception(error)
