"""Bounds how many requests do the same costly thing at a time. A bounded number of others waits for a bounded time."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from fastapi import Depends, HTTPException, Request


class Turns:
    """Turns at one thing, in the order in which they were asked for. Create one per application."""

    def __init__(self, things: str, *, at_once: int, waiting: int, wait_s: float = 10.0) -> None:
        """Create turns.

        Args:
            things: What is bounded, in the plural, for the answer to those that get no turn.
            at_once: Turns at the same time.
            waiting: Requests that may wait for a turn.
            wait_s: Seconds that each of them waits.
        """
        self.at_once = at_once
        self._things = things
        self._wait_s = wait_s
        self._free = asyncio.Semaphore(at_once)
        self._places = waiting

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Hold a turn in the block. Raises HTTPException with 503 if there is none in time."""
        await self.take()
        try:
            yield
        finally:
            self.end()

    async def take(self) -> None:
        """Wait for a turn. Callers call ``end`` after it. Raises HTTPException with 503 if there is none in time."""
        if not self._free.locked():
            await self._free.acquire()
            return
        if not self._places:
            raise self._refusal()
        self._places -= 1
        try:
            async with asyncio.timeout(self._wait_s):
                await self._free.acquire()
        except TimeoutError as error:
            raise self._refusal() from error
        finally:
            self._places += 1

    def end(self) -> None:
        """End a turn."""
        self._free.release()

    def _refusal(self) -> HTTPException:
        return HTTPException(503, f"{self.at_once} {self._things} at a time, and others wait; try again later.")


def turn_until_answered(name: str) -> Any:
    """Return a dependency that holds a turn, of the application's ``name``, until its answer has been written."""

    async def held(request: Request) -> AsyncIterator[None]:
        turns: Turns = getattr(request.app.state, name)
        async with turns.turn():
            yield

    dependency: Callable[[Request], AsyncIterator[None]] = held
    return Depends(dependency)
