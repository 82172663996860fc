"""A simulated clock, which advances when all tasks wait, and random numbers that depend only on a seed.

Nothing waits for a socket: Redis and the provider respond at once, or after a sleep on this clock. If no task can run,
the event loop therefore has only timers left, and jumps to the next one.
"""

import asyncio
import heapq
import random
import secrets
import selectors
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import Context, ContextVar
from functools import partial
from types import ModuleType
from typing import Any, TypeVar
from unittest import mock

from tests.store.fixture import START_MS

#: time of the loop at the beginning; any number but 0
_FIRST_S = 1_000.0
#: timers that are closer together than this run in the same iteration
_RESOLUTION_S = 1e-6
#: consecutive routine waits after which time is skipped, and seconds before the next event at which skipping ends
_ROUTINE_WAITS, _AWAKE_S = 4, 2.0
#: waits up to this are calls to Redis and do not count, in seconds
_MOMENT_S = 0.05

#: values of ``random.random`` in production code
_RANDOM_VALUES = (0.02, 0.5, 0.98)

Answer = TypeVar("Answer")


class Deadlock(Exception):
    """All tasks wait, and no timer is left."""


class _SkippingSelector(selectors.SelectSelector):
    """A selector that advances the simulated clock instead of waiting for files."""

    def __init__(self, wait: Callable[[float], None]) -> None:
        super().__init__()
        self._wait = wait

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise Deadlock("all tasks wait, and no timer is left")
        if timeout > 0:
            self._wait(timeout)
        return []


class SimulatedClock:
    """The true time of a simulation, which never steps."""

    def __init__(self) -> None:
        self.now_s = _FIRST_S

    @property
    def passed_s(self) -> float:
        """Seconds since the simulation began."""
        return self.now_s - _FIRST_S

    @property
    def true_us(self) -> int:
        """Microseconds since 1970."""
        return START_MS * 1000 + round(self.passed_s * 1_000_000)

    @property
    def true_ms(self) -> int:
        """Milliseconds since 1970."""
        return self.true_us // 1000


#: set in the context of routine waits, which only repeat while nothing happens
_ROUTINE: ContextVar[bool] = ContextVar("routine", default=False)


@contextmanager
def routine() -> Iterator[None]:
    """Mark waits inside the block as routine: they only repeat while nothing happens, so time may skip them."""
    token = _ROUTINE.set(True)
    try:
        yield
    finally:
        _ROUTINE.reset(token)


class SimulatedLoop(asyncio.SelectorEventLoop):
    """An event loop on the simulated clock. Functions for an executor run at once."""

    def __init__(self, clock: SimulatedClock) -> None:
        super().__init__(_SkippingSelector(self._wait))
        self._simulated = clock
        self._clock_resolution = _RESOLUTION_S
        #: number of consecutive routine waits
        self._routine_waits = 0
        #: returns the seconds until the next event that no timer announces
        self.quiet_s: Callable[[], float] = lambda: 0.0

    def time(self) -> float:
        return self._simulated.now_s

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> "asyncio.Future[Any]":  # type: ignore[override]  # typeshed names it after the C function
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001  # it belongs to the caller, who awaits the future
            future.set_exception(error)
        return future

    def _wait(self, seconds: float) -> None:
        """Advance the clock to the next timer, or, after several routine waits, to the next event."""
        timers: list[asyncio.TimerHandle] = self._scheduled  # type: ignore[attr-defined]
        if _is_routine(timers[0]):
            self._routine_waits += 1
        elif seconds > _MOMENT_S:
            self._routine_waits = 0
        if self._routine_waits > _ROUTINE_WAITS:
            self._routine_waits = 0
            self._skip(timers, self.quiet_s() - _AWAKE_S)
        else:
            self._simulated.now_s += seconds

    def _skip(self, timers: list[asyncio.TimerHandle], quiet_s: float) -> None:
        """Advance the clock by up to ``quiet_s``, and postpone routine timers by the skipped time."""
        now_s = self.time()
        others = [timer.when() for timer in timers if not _is_routine(timer) and not timer.cancelled()]
        skipped_s = max(0.0, min([now_s + quiet_s, *others]) - now_s)
        for timer in timers:
            if _is_routine(timer):
                timer._when += skipped_s  # type: ignore[attr-defined]
        heapq.heapify(timers)
        self._simulated.now_s += skipped_s or max(0.0, timers[0].when() - now_s)


def _is_routine(timer: asyncio.TimerHandle) -> bool:
    context: Context = timer._context  # type: ignore[attr-defined]
    return context.get(_ROUTINE, False)


def run(create: Callable[[SimulatedClock], Coroutine[Any, Any, Answer]], *, seed: int) -> Answer:
    """Run a coroutine on a new simulated clock. The same seed gives the same history."""
    clock = SimulatedClock()
    loop = SimulatedLoop(clock)
    with _patched(clock, seed):
        try:
            asyncio.set_event_loop(loop)
            return loop.run_until_complete(create(clock))
        finally:
            asyncio.set_event_loop(None)
            loop.close()


@contextmanager
def _patched(clock: SimulatedClock, seed: int) -> Iterator[None]:
    """Patch all clocks and sources of random numbers that production code uses."""
    names = random.Random(f"names {seed}")
    rng = random.Random(f"chance {seed}")

    def token_hex(size: int = 32) -> str:
        return f"{names.getrandbits(8 * size):0{2 * size}x}"

    def now_s(*_: object) -> float:
        return clock.now_s

    replacements: dict[tuple[ModuleType, str], object] = {
        # few values, so that equal delays end at the same time and are processed together
        (random, "random"): partial(rng.choice, _RANDOM_VALUES),
        (secrets, "token_hex"): token_hex,
        (secrets, "randbelow"): names.randrange,
        (secrets, "randbits"): names.getrandbits,
        (time, "time"): lambda: clock.true_us / 1_000_000,
        (time, "time_ns"): lambda: clock.true_us * 1000,
        (time, "monotonic"): now_s,
        (time, "clock_gettime"): now_s,
    }
    with ExitStack() as stack:
        for (module, name), value in replacements.items():
            stack.enter_context(mock.patch.object(module, name, value))
        yield
