"""What a worker process does to be known as living: it registers, speaks when it is silent, and signs off at its end.

Nothing is leased while no worker lives, and the leases of one that has ended are taken back (``store/workers.py``).
"""

import asyncio
import math
import secrets
import time
from collections.abc import Callable
from contextlib import suppress

import structlog

from dispatcher.store.errors import StoreError
from dispatcher.store.store import Store
from dispatcher.store.workers import BEAT_S

#: seconds after which even a process that speaks asks whether its name is still its own
_CONFIRM_S = 10.0
#: seconds that a heartbeat may take, and after which one that failed is tried again
_WITHIN_S, _AGAIN_S = 1.0, 0.25

log = structlog.get_logger(__name__)


class Presence:
    """This process in the registry of workers. Belongs to one event loop."""

    def __init__(self, store: Store, name: str, instance: str, *, room: Callable[[], int]) -> None:
        """``room``: calls that the process could begin now."""
        self._workers = store.workers
        self._room = room
        self.name = name
        self.instance = instance or secrets.token_hex(8)
        #: when the registry last confirmed the name, by the monotonic clock (seconds)
        self._confirmed_s = -math.inf
        self._speaking: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Register as soon as the store is there, and from then on speak once a second at least."""
        self._speaking = asyncio.create_task(self._speak())

    async def stop(self) -> None:
        """End: what was fetched and not begun goes to others. May be repeated."""
        if self._speaking is None:
            return
        self._speaking.cancel()
        self._speaking = None
        with suppress(StoreError, TimeoutError):  # then its silence says so
            async with asyncio.timeout(_WITHIN_S):
                await self._workers.sign_off(self.name, self.instance)

    async def _speak(self) -> None:
        while True:
            wait_s = self._quiet_s()
            if wait_s > 0:
                await asyncio.sleep(wait_s)
                continue
            with suppress(StoreError, TimeoutError):
                async with asyncio.timeout(_WITHIN_S):
                    await self._say()
                continue
            await asyncio.sleep(_AGAIN_S)

    def _quiet_s(self) -> float:
        """How long it may be silent yet."""
        now_s = time.monotonic()
        return min(self._workers.spoke_s + BEAT_S - now_s, self._confirmed_s + _CONFIRM_S - now_s)

    async def _say(self) -> None:
        if self._confirmed_s == -math.inf:
            await self._workers.register(self.name, self.instance, room=self._room())
            self._workers.speak_as(self.name, self.instance, self._room)
        elif not await self._workers.beat(self.name, self.instance, room=self._room()):
            log.error("another worker has registered under this name: each needs one of its own", worker=self.name)
            self.name = f"{self.name}~{self.instance}"
            self._confirmed_s = -math.inf
            return
        self._confirmed_s = time.monotonic()
