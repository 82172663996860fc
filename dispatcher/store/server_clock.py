"""The clock of the Redis server, the only one that counts for anything stored: hosts may disagree about the time."""

import json
import math
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from dispatcher.core.recovery.clock_step import ClockReading
from dispatcher.store.client import Client
from dispatcher.store.errors import translated
from dispatcher.store.keys import Keys

#: seconds for which this machine's steady clock is trusted to have kept pace with the server's
_FRESH_S = 5.0
#: a stored time that lies further ahead of the server's clock is of before the clock was set back
AHEAD_MS = 5_000


def steady_clock() -> float:
    """Seconds of a clock that never steps and counts suspended time, where the system has one (Linux does)."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def wall_clock() -> float:
    """Seconds since 1970 as this machine believes."""
    return time.time()


class SuspensionMeter:
    """Seconds for which this machine has stood still without its steady clock counting them, as far as is known.

    A steady clock does not count the time in which a hypervisor had the whole machine stand still. On hosts that set
    the wall clock right afterwards, that clock steps forward. A step back says nothing.
    """

    #: what lies between two readings is no step, seconds
    _STEP_S = 0.05

    def __init__(self, steady: Callable[[], float] = steady_clock, wall: Callable[[], float] = wall_clock) -> None:
        self._steady = steady
        self._wall = wall
        self._apart_s = wall() - steady()
        self._seconds = 0.0

    def __call__(self) -> float:
        # a pause between the readings is on both clocks, and must count as a step in neither direction
        before_s, wall_s, after_s = self._steady(), self._wall(), self._steady()
        forward_s, back_s = wall_s - after_s - self._apart_s, self._apart_s - (wall_s - before_s)
        if forward_s > self._STEP_S:
            self._apart_s += forward_s
            self._seconds += forward_s
        elif back_s > self._STEP_S:
            self._apart_s -= back_s
        return self._seconds


class ServerClock:
    """Milliseconds since 1970 by the server, asked anew every few seconds and counted on in between."""

    def __init__(self, client: Client, steady: Callable[[], float]) -> None:
        """``steady`` gives seconds, never steps, and counts the time that the machine was suspended."""
        self._client = client
        self._steady = steady
        self._server_ms = 0
        self._asked_s = -math.inf

    async def now_ms(self) -> int:
        """Raises StoreError when it has to ask and gets no answer."""
        if self._steady() - self._asked_s > _FRESH_S:
            await self.ask()
        return self._server_ms + round((self._steady() - self._asked_s) * 1000)

    async def ask(self) -> int:
        """The server's time of this moment."""
        with translated():
            seconds, micros = await self._client.time()
        self._server_ms, self._asked_s = int(seconds) * 1000 + int(micros) // 1000, self._steady()
        return self._server_ms


class ClockReadings:
    """What schedulers of this machine last saw of the server's clock, for one that starts after a step.

    The clock that never steps begins anew with each start of a machine, so each start has an entry of its own.
    """

    def __init__(self, client: Client, keys: Keys) -> None:
        self._client = client
        self._keys = keys
        self._boot = _boot_id()

    async def last(self) -> ClockReading | None:
        """None when nobody has looked since the machine was started. Raises StoreError."""
        with translated():
            found = await self._client.hget(self._keys.clock, self._boot)
        if found is None:
            return None
        server_ms, own_s, suspended_until_s = json.loads(found)
        return ClockReading(server_ms=server_ms, own_s=own_s, suspended_until_s=suspended_until_s)

    async def remember(self, seen: ClockReading) -> None:
        with translated():
            value = json.dumps([seen.server_ms, seen.own_s, seen.suspended_until_s])
            await self._client.hset(self._keys.clock, self._boot, value)


def _boot_id() -> str:
    """Names one start of this machine; the same for all machines that do not say (Linux does)."""
    with suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return "unknown"
