"""Tests that no key in Redis grows with time alone, in any state of the mailings."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import pytest

from dispatcher.core.batch import Command
from tests.simulation import clock as simulated_clock
from tests.simulation.clock import SimulatedClock
from tests.simulation.history import History, command, draw_setup, open_history
from tests.simulation.redis_client import Server
from tests.store.fixture import KEYS

#: seconds until all work is done, and of idle time after that
_SETTLED_S, _IDLE_S = 900.0, 600.0
_SIZES = {b"hash": "HLEN", b"set": "SCARD", b"zset": "ZCARD", b"list": "LLEN", b"stream": "XLEN", b"string": "STRLEN"}


def sizes(server: Server) -> dict[bytes, Any]:
    """Return the size of every key without expiry."""
    (names,) = server.call([("KEYS", f"{KEYS.prefix}*")])
    kinds = server.call([("TYPE", name) for name in names])
    lives = server.call([("PTTL", name) for name in names])
    lasting = [(name, kind) for name, kind, life in zip(names, kinds, lives, strict=True) if life < 0]
    counts = server.call([(_SIZES[kind if isinstance(kind, bytes) else kind.encode()], name) for name, kind in lasting])
    return {name: count for (name, _), count in zip(lasting, counts, strict=True)}


async def nothing(history: History) -> None:
    """Let all mailings end."""


async def pause(history: History) -> None:
    """Pause all batches."""
    for mailing in history.mailings:
        await history.ask(partial(command, batch=mailing.batch, command=Command.PAUSE))


async def hold(history: History) -> None:
    """Hold the account."""
    await history.ask(lambda runtime: runtime.store.holds.open("account", "funds", "nothing left"))


async def end_workers(history: History) -> None:
    """End all workers."""
    for worker in history.engine.workers:
        worker.end()


async def end_schedulers(history: History) -> None:
    """End all schedulers."""
    for scheduler in history.engine.schedulers:
        scheduler.end()


@pytest.mark.parametrize("prepare", [nothing, pause, hold, end_workers, end_schedulers])
def test_nothing_grows_with_time_alone(simulated_url: str, prepare: Callable[[History], Awaitable[None]]) -> None:
    async def play(clock: SimulatedClock) -> tuple[dict[bytes, Any], dict[bytes, Any], int]:
        async with open_history(simulated_url, clock, draw_setup(1, frozenset())) as history:
            sending = asyncio.create_task(history.send_all())
            await asyncio.sleep(1.0)
            await prepare(history)
            await sending
            await asyncio.sleep(_SETTLED_S)
            history.stay_awake()
            server, broker = history.engine.server, history.engine.broker
            before = sizes(server)
            await asyncio.sleep(_IDLE_S)
            return before, sizes(server), broker.size

    before, after, messages = simulated_clock.run(play, seed=1)
    assert after == before
    assert messages < 100
