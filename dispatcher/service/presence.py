"""Keeps a worker process registered as alive: it registers, sends heartbeats, and signs off when it ends.

Nothing is leased while no worker is alive, and the leases of a worker that has ended are reclaimed
(``store/workers.py``). Every script that a worker runs counts as a heartbeat. A separate one is sent after a second
without any, and every 10 s to check that no other process has taken the name.
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

#: seconds after which even a busy process checks that no other process has registered under its name
_CONFIRM_S = 10.0
#: seconds that a heartbeat may take, and the pause after one that failed
_TIMEOUT_S, _RETRY_S = 1.0, 0.25

log = structlog.get_logger(__name__)


class Presence:
    """Keeps this process in the registry of workers. Belongs to one event loop."""

    def __init__(self, store: Store, name: str, instance: str, *, room: Callable[[], int]) -> None:
        """Create the presence of a worker process; ``room``: how many more requests to the provider it could begin."""
        self._workers = store.workers
        self._room = room
        self.name = name
        self.instance = instance or secrets.token_hex(8)
        #: when the registry last confirmed the name, by the monotonic clock (seconds)
        self._confirmed_s = -math.inf
        self._heartbeats: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Register as soon as the store answers, and send heartbeats from then on."""
        self._heartbeats = asyncio.create_task(self._send_heartbeats())

    async def stop(self) -> None:
        """Sign off, so that leases which the process has not begun go to other workers. May be repeated."""
        if self._heartbeats is None:
            return
        self._heartbeats.cancel()
        self._heartbeats = None
        with suppress(StoreError, TimeoutError):  # then the missing heartbeats show that it has ended
            async with asyncio.timeout(_TIMEOUT_S):
                await self._workers.sign_off(self.name, self.instance)

    async def _send_heartbeats(self) -> None:
        while True:
            wait_s = self._next_heartbeat_s()
            if wait_s > 0:
                await asyncio.sleep(wait_s)
                continue
            with suppress(StoreError, TimeoutError):
                async with asyncio.timeout(_TIMEOUT_S):
                    await self._register_or_beat()
                continue
            await asyncio.sleep(_RETRY_S)

    def _next_heartbeat_s(self) -> float:
        """Return the seconds until the next heartbeat is due."""
        now_s = time.monotonic()
        return min(self._workers.spoke_s + BEAT_S - now_s, self._confirmed_s + _CONFIRM_S - now_s)

    async def _register_or_beat(self) -> None:
        """Register, or send a heartbeat. If another process has the name, take a new one and register next time."""
        if self._confirmed_s == -math.inf:
            await self._workers.register(self.name, self.instance, room=self._room())
            self._workers.speak_as(self.name, self.instance, self._room)
        elif not await self._workers.beat(self.name, self.instance, room=self._room()):
            log.error("another worker has registered under the same name: each needs its own", worker=self.name)
            self.name = f"{self.name}~{self.instance}"
            self._confirmed_s = -math.inf
            return
        self._confirmed_s = time.monotonic()
