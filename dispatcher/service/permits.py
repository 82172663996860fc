"""Permits of the account's pace for reads, and what a refusal does to it."""

import asyncio
import random
import time
from functools import partial

from dispatcher.service.grouping import until_it_works
from dispatcher.store.limiter import Limiter

#: seconds; no read waits longer than this for its permit
LONGEST_WAIT_S = 30.0


class NoPermit(Exception):
    """Raised when no permit came in time; the read is made another time."""


class Permits:
    def __init__(self, limiter: Limiter) -> None:
        self._limiter = limiter

    async def take(self) -> int:
        """Wait for one permit; returns the epoch that it belongs to. Raises NoPermit."""
        end_s = time.monotonic() + LONGEST_WAIT_S
        while True:
            permit = await self._limiter.take()
            if time.monotonic() + permit.wait_s > end_s:
                raise NoPermit
            await asyncio.sleep(permit.wait_s if permit.granted else min(permit.wait_s, 1.0))
            if permit.granted:
                return permit.epoch

    async def slow_down(self, epoch: int, retry_after_s: float | None) -> None:
        """The provider answered 429, or 503 with a time, to a request of that epoch."""
        await until_it_works(partial(self._limiter.slow_down, epoch, retry_after_s, random.random()))
