"""Time that passes only when nobody has anything left to do, and chance that follows from a seed.

Nothing here waits for a socket: every answer of Redis and of the provider is there when it is asked for, or after a
sleep on this clock. So the loop knows that nothing but timers is left, and jumps to the next one.
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

#: what the loop's clock shows at the beginning; any number that is not 0
_FIRST_S = 1_000.0
#: two timers that lie closer together than this run in one turn
_RESOLUTION_S = 1e-6
#: after so many waits of routine it is passed over, up to so many seconds before something happens
_ROUTINE_WAITS, _AWAKE_S = 4, 2.0
#: a wait that is none: a call to Redis that takes its time
_MOMENT_S = 0.05

#: what chance is in the product
_CHANCES = (0.02, 0.5, 0.98)

Answer = TypeVar("Answer")


class Idle(Exception):
    """Raised when no task can ever go on: everybody waits, and for nothing that will happen."""


class _Jump(selectors.SelectSelector):
    """Instead of waiting for a file it lets time pass."""

    def __init__(self, wait: Callable[[float], None]) -> None:
        super().__init__()
        self._wait = wait

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise Idle("nothing is left that could happen")
        if timeout > 0:
            self._wait(timeout)
        return []


class SimulatedClock:
    """True time, which never steps. ``true_us`` are microseconds since 1970."""

    def __init__(self) -> None:
        self.now_s = _FIRST_S

    @property
    def passed_s(self) -> float:
        """Seconds since the beginning."""
        return self.now_s - _FIRST_S

    @property
    def true_us(self) -> int:
        return START_MS * 1000 + round(self.passed_s * 1_000_000)

    @property
    def true_ms(self) -> int:
        return self.true_us // 1000


#: set in the context of waits that only begin again when nothing has happened
_ROUTINE: ContextVar[bool] = ContextVar("routine", default=False)


@contextmanager
def routine() -> Iterator[None]:
    """Waits in here repeat for as long as nothing happens: time may pass without them."""
    token = _ROUTINE.set(True)
    try:
        yield
    finally:
        _ROUTINE.reset(token)


class SimulatedLoop(asyncio.SelectorEventLoop):
    """An event loop on that clock. What would run in a thread runs at once."""

    def __init__(self, clock: SimulatedClock) -> None:
        super().__init__(_Jump(self._wait))
        self._simulated = clock
        self._clock_resolution = _RESOLUTION_S
        #: waits one after the other that were routine
        self._routine_waits = 0
        #: seconds until something will happen by itself
        self.quiet_s: Callable[[], float] = lambda: 0.0

    def time(self) -> float:
        return self._simulated.now_s

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> "asyncio.Future[Any]":  # type: ignore[override]  # typeshed names it after the C function
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001  # it belongs to the one who waits
            future.set_exception(error)
        return future

    def _wait(self, seconds: float) -> None:
        """Let time pass until the next timer; or, when nothing but routine goes on, until something may happen."""
        timers: list[asyncio.TimerHandle] = self._scheduled  # type: ignore[attr-defined]
        if _is_routine(timers[0]):
            self._routine_waits += 1
        elif seconds > _MOMENT_S:
            self._routine_waits = 0
        if self._routine_waits > _ROUTINE_WAITS:
            self._routine_waits = 0
            self._pass_over(timers, self.quiet_s() - _AWAKE_S)
        else:
            self._simulated.now_s += seconds

    def _pass_over(self, timers: list[asyncio.TimerHandle], quiet_s: float) -> None:
        """As if everybody slept meanwhile: what is routine comes so much later."""
        now_s = self.time()
        others = [timer.when() for timer in timers if not _is_routine(timer) and not timer.cancelled()]
        slept_s = max(0.0, min([now_s + quiet_s, *others]) - now_s)
        for timer in timers:
            if _is_routine(timer):
                timer._when += slept_s  # type: ignore[attr-defined]
        heapq.heapify(timers)
        self._simulated.now_s += slept_s or max(0.0, timers[0].when() - now_s)


def _is_routine(timer: asyncio.TimerHandle) -> bool:
    context: Context = timer._context  # type: ignore[attr-defined]
    return context.get(_ROUTINE, False)


def run(make: Callable[[SimulatedClock], Coroutine[Any, Any, Answer]], *, seed: int) -> Answer:
    """Run to the end on a clock and with a chance of its own: the same seed gives the same history."""
    clock = SimulatedClock()
    loop = SimulatedLoop(clock)
    with _replaced(clock, seed):
        try:
            asyncio.set_event_loop(loop)
            return loop.run_until_complete(make(clock))
        finally:
            asyncio.set_event_loop(None)
            loop.close()


@contextmanager
def _replaced(clock: SimulatedClock, seed: int) -> Iterator[None]:
    """Every clock that our code reads, and every chance that it takes."""
    names = random.Random(f"names {seed}")
    chance = random.Random(f"chance {seed}")

    def token_hex(size: int = 32) -> str:
        return f"{names.getrandbits(8 * size):0{2 * size}x}"

    def now_s(*_: object) -> float:
        return clock.now_s

    instead: dict[tuple[ModuleType, str], object] = {
        # few values: what waits for as long as another comes due with it, and is done with it
        (random, "random"): partial(chance.choice, _CHANCES),
        (secrets, "token_hex"): token_hex,
        (secrets, "randbelow"): names.randrange,
        (secrets, "randbits"): names.getrandbits,
        (time, "time"): lambda: clock.true_us / 1_000_000,
        (time, "time_ns"): lambda: clock.true_us * 1000,
        (time, "monotonic"): now_s,
        (time, "clock_gettime"): now_s,
    }
    with ExitStack() as stack:
        for (module, name), value in instead.items():
            stack.enter_context(mock.patch.object(module, name, value))
        yield
