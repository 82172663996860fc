"""The clock of the Redis server. All stored times come from it, because the clocks of hosts may differ."""

import json
import math
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from dispatcher.core.recovery.clock_step import ClockReading
from dispatcher.store.client import Client
from dispatcher.store.decoding import readable, whole
from dispatcher.store.errors import translated
from dispatcher.store.keys import Keys

#: seconds after which the server's time is read again
_FRESH_S = 5.0
#: a stored time that is further ahead of the server's clock was stored before the clock was set back
AHEAD_MS = 5_000


def steady_clock() -> float:
    """Return the seconds of a clock that never steps and includes suspended time, where available (as on Linux)."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def wall_clock() -> float:
    """Return the seconds since 1970 by this machine's clock."""
    return time.time()


class SuspensionMeter:
    """Measures the seconds of suspension that the steady clock of this machine has not counted.

    A steady clock does not count time in which a hypervisor suspended the machine. Hosts that correct the wall clock
    afterwards make it step forward, which is what this meter detects. A step back has no meaning.
    """

    #: differences below this many seconds are not a step
    _STEP_S = 0.05

    def __init__(self, steady: Callable[[], float] = steady_clock, wall: Callable[[], float] = wall_clock) -> None:
        self._steady = steady
        self._wall = wall
        self._apart_s = wall() - steady()
        self._seconds = 0.0

    def __call__(self) -> float:
        # a pause between the two readings affects both clocks, and must not count as a step
        before_s, wall_s, after_s = self._steady(), self._wall(), self._steady()
        forward_s, back_s = wall_s - after_s - self._apart_s, self._apart_s - (wall_s - before_s)
        if forward_s > self._STEP_S:
            self._apart_s += forward_s
            self._seconds += forward_s
        elif back_s > self._STEP_S:
            self._apart_s -= back_s
        return self._seconds


class ServerClock:
    """The server's time, read every few seconds and extrapolated with the steady clock in between."""

    def __init__(self, client: Client, steady: Callable[[], float]) -> None:
        """``steady`` returns the seconds of a clock that never steps and includes suspended time."""
        self._client = client
        self._steady = steady
        self._server_ms = 0
        self._asked_s = -math.inf

    async def now_ms(self) -> int:
        """Return the milliseconds since 1970. Raises StoreError if the server has to be asked and does not answer."""
        if self._steady() - self._asked_s > _FRESH_S:
            await self.ask()
        return self._server_ms + round((self._steady() - self._asked_s) * 1000)

    async def ask(self) -> int:
        """Read the server's time now."""
        with translated():
            seconds, micros = await self._client.time()
        self._server_ms, self._asked_s = int(seconds) * 1000 + int(micros) // 1000, self._steady()
        return self._server_ms


class ClockReadings:
    """Stores the last reading of the server's clock on this machine, so that a scheduler that starts can detect a step.

    The steady clock restarts with each boot of a machine, so each boot has its own entry.
    """

    def __init__(self, client: Client, keys: Keys) -> None:
        self._client = client
        self._keys = keys
        self._boot = _boot_id()

    async def last(self) -> ClockReading | None:
        """Return the last reading; None if there is none since the machine was booted, or it cannot be read."""
        with translated():
            reading = await self._client.hget(self._keys.clock, self._boot)
        readings = readable(self._keys.clock, [reading] if reading is not None else [], _reading)
        return readings[0] if readings else None

    async def remember(self, seen: ClockReading) -> None:
        with translated():
            value = json.dumps([seen.server_ms, seen.own_s, seen.suspended_until_s])
            await self._client.hset(self._keys.clock, self._boot, value)


def _reading(raw: bytes) -> ClockReading:
    server_ms, own_s, suspended_until_s = json.loads(raw)
    if not (math.isfinite(own_s) and math.isfinite(suspended_until_s)):
        raise ValueError("a reading of the clock is not finite")
    return ClockReading(server_ms=whole(server_ms), own_s=own_s, suspended_until_s=suspended_until_s)


def _boot_id() -> str:
    """Return an id of the current boot of this machine; a constant where the system has none (Linux has)."""
    with suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return "unknown"
