"""Permits for reads from the provider, under the account's rate limit.

Reads wait here in one queue for each kind, and the kinds take turns. One task takes permits from the store for all of
them. It takes one only while a connection is free, so that no permit is wasted.
"""

import asyncio
import math
import random
import time
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial

from dispatcher.service.batching import retry_forever
from dispatcher.store.errors import StoreError
from dispatcher.store.rate_limiter import Permit, RateLimiter

#: maximum seconds that a read waits for its permit
MAX_WAIT_S = 30.0
#: maximum seconds before the store is asked again: the wait can get shorter when a limit is raised
_ASK_AGAIN_S = 1.0


class NoPermit(Exception):
    """Raised when no permit came in time. The read has to be made later."""


class Stopping(NoPermit):
    """Raised when the process is about to stop. Another process makes the read."""


class ReadKind(StrEnum):
    """What a read is for. The kinds take turns, so that many reads of one kind do not block the others."""

    #: a page of a list with the faxes of many jobs
    WINDOW = "window"
    #: a page of the list of one number, for an unclear attempt
    NUMBER = "number"
    #: one fax by its id
    FAX = "fax"


class ReadResult(StrEnum):
    """What became of a read."""

    MADE = "made"
    FAILED = "failed"
    NO_PERMIT = "no_permit"


@dataclass(slots=True, eq=False)
class _WaitingRead:
    #: when it gives up, by the monotonic clock
    until_s: float
    granted: "asyncio.Future[Permit]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class ReadPermits:
    """Hands out permits for reads. Belongs to one event loop."""

    def __init__(self, limiter: RateLimiter, *, at_once: int) -> None:
        """Create permits for at most ``at_once`` concurrent reads."""
        self._limiter = limiter
        self._free = at_once
        self._freed = asyncio.Event()
        self._queues = {kind: deque[_WaitingRead]() for kind in ReadKind}
        self._asking: asyncio.Task[None] | None = None
        self._closed = False
        #: number of reads by kind and result, for metrics
        self.results: Counter[tuple[ReadKind, ReadResult]] = Counter()

    def close(self) -> None:
        """Refuse all waiting and later reads with ``Stopping``, because the process is about to stop."""
        self._closed = True
        self._refuse(math.inf)

    @property
    def closed(self) -> bool:
        """Whether ``close`` was called."""
        return self._closed

    @asynccontextmanager
    async def read(self, kind: ReadKind) -> AsyncIterator[int]:
        """Wait for the slot of one read. Yields the epoch of its permit. Raises NoPermit and StoreError."""
        result = ReadResult.NO_PERMIT
        try:
            permit = await self._wait(kind)
            result = ReadResult.FAILED
            try:
                await asyncio.sleep(permit.wait_s)
                yield permit.epoch
                result = ReadResult.MADE
            finally:
                self._release()
        finally:
            self.results[kind, result] += 1

    async def slow_down(self, epoch: int, retry_after_s: float | None) -> None:
        """Lower the rate in all processes, because the provider asked for it.

        Args:
            epoch: Epoch of the permit of the request. Of all requests of one epoch, only the first lowers the rate.
            retry_after_s: Seconds for which the provider asked to wait, if it said so.
        """
        await retry_forever(partial(self._limiter.slow_down, epoch, retry_after_s, random.random()))

    async def _wait(self, kind: ReadKind) -> Permit:
        if self._closed:
            raise Stopping
        waiting = _WaitingRead(time.monotonic() + MAX_WAIT_S)
        self._queues[kind].append(waiting)
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
                await self._wait_for_connection()
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

    async def _wait_for_connection(self) -> None:
        self._freed.clear()
        try:
            await asyncio.wait_for(self._freed.wait(), _ASK_AGAIN_S)
        except TimeoutError:
            return

    def _grant(self, permit: Permit) -> None:
        """Give the permit to the first read of the kind whose turn it is, if any read still waits."""
        for kind in list(self._queues):
            queue = self._queues.pop(kind)
            self._queues[kind] = queue
            while queue:
                waiting = queue.popleft()
                if not waiting.granted.done():
                    self._free -= 1
                    waiting.granted.set_result(permit)
                    return

    def _refuse(self, at_s: float) -> bool:
        """Refuse all reads that give up before ``at_s``. Returns whether any read still waits."""
        for queue in self._queues.values():
            while queue and (queue[0].until_s < at_s or queue[0].granted.done()):
                waiting = queue.popleft()
                if not waiting.granted.done():
                    waiting.granted.set_exception(Stopping() if self._closed else NoPermit())
        return any(self._queues.values())

    def _fail(self, error: StoreError) -> None:
        for queue in self._queues.values():
            while queue:
                waiting = queue.popleft()
                if not waiting.granted.done():
                    waiting.granted.set_exception(error)
