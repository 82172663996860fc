"""Tests that the rate is used while many attempts are unclear, lists fail, and faxes have to be read back."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping
from random import Random
from typing import Any

import pytest

from dispatcher.core.job import Recipient
from dispatcher.core.recovery.places import Place
from dispatcher.sinch.http import Call
from dispatcher.sinch.responses import SinchResponse
from tests.simulation import clock as simulated_clock
from tests.simulation.clock import SimulatedClock
from tests.simulation.engine import POLICY, SystemConfig
from tests.simulation.faults import Fault, FaultSchedule
from tests.simulation.history import DENSE_INTERVALS_S, History, Setup, open_history
from tests.simulation.liveness import Mailing
from tests.simulation.process import Process
from tests.store.fixture import KEYS

#: so few faxes in flight that more attempts are unclear soon
_RATE, _MAX_IN_FLIGHT = 10.0, 12
_CONFIG = SystemConfig(
    rate=_RATE,
    max_in_flight=_MAX_IN_FLIGHT,
    connections=64,
    workers=2,
    schedulers=1,
    public_url="https://fax.example.com",
)
#: share of the rate that sends have to use: reads may use a tenth, and a hundredth stays unused
_MIN_SHARE, _SLICE_S = 0.88, 10.0


def mailing(batch: str, rows: int, area: int) -> Mailing:
    """Return a mailing with numbers from an area code on."""
    numbers = [f"+1{area + row // 100}55501{row % 100:02d}" for row in range(rows)]
    recipients = tuple(Recipient(line=n, number=number, region="US") for n, number in enumerate(numbers, start=1))
    return Mailing(batch=batch, recipients=recipients)


def play(url: str, scene: Callable[[History], Awaitable[Any]], shares: Mapping[Fault, float], *rows: int) -> None:
    """Play a scene, then end the faults and all mailings. No job may be lost, doubled or wrong.

    Args:
        url: URL of the Redis server.
        scene: What the test does with the history.
        shares: Share of each fault.
        *rows: Number of recipients of each mailing.
    """
    mailings = [mailing(f"b{n}", count, 201 + 20 * n) for n, count in enumerate(rows)]
    schedule = FaultSchedule(
        rng=Random("full rate"), faults=frozenset(shares), shares=shares, episodes=(), fault_phase_s=math.inf
    )

    async def run(clock: SimulatedClock) -> list[str]:
        setup = Setup(seed=1, config=_CONFIG, schedule=schedule, mailings=mailings)
        async with open_history(url, clock, setup, DENSE_INTERVALS_S) as history:
            await scene(history)
            await history.end_faults()
        return history.report.faults

    assert simulated_clock.run(run, seed=1) == []


async def sends_in(history: History, seconds: float) -> list[float]:
    """Return the sends per second of each slice."""
    counts = []
    for _ in range(round(seconds / _SLICE_S)):
        before = history.engine.provider.posts
        await asyncio.sleep(_SLICE_S)
        counts.append((history.engine.provider.posts - before) / _SLICE_S)
    return counts


@pytest.mark.parametrize("share", [0.05, 0.1])
def test_sends_that_are_answered_with_500_delay_no_other(simulated_url: str, share: float) -> None:
    """After some seconds, more attempts are unclear than may be in flight. None has been searched for yet."""

    async def scene(history: History) -> None:
        await history.send(history.mailings[0])
        await asyncio.sleep(5.0)
        sends = await sends_in(history, 2 / share)
        assert await unclear(history) > _MAX_IN_FLIGHT
        assert sum(sends) / len(sends) >= _MIN_SHARE * _RATE
        assert min(sends) >= 0.8 * _RATE

    play(simulated_url, scene, {Fault.SERVER_ERROR: share}, round(25 / share))


def test_unclear_sends_whose_lists_fail_delay_no_other_and_after_ten_minutes_the_provider_is_held(
    simulated_url: str,
) -> None:
    async def scene(history: History) -> None:
        failed = 0

        async def failing(process: Process, call: Call, total_s: float) -> SinchResponse:
            nonlocal failed
            failed += 1
            await asyncio.sleep(0.2)
            process.check()
            return SinchResponse(status=500)

        provider, (first, second) = history.engine.provider, history.mailings
        provider.read = failing  # type: ignore[method-assign]  # sends work and reads fail
        await history.send(first)
        while not failed:  # noqa: ASYNC110  # on the simulated clock it costs nothing
            await asyncio.sleep(1.0)
        await history.send(second)
        sends = await sends_in(history, 40.0)
        assert sum(sends) / len(sends) >= _MIN_SHARE * _RATE
        assert min(sends) >= 0.8 * _RATE
        assert failed > 1, "lists were not requested meanwhile"
        await asyncio.sleep(500.0)
        assert await history.ask(lambda runtime: runtime.store.holds.all()) == []
        await asyncio.sleep(120.0)
        (hold,) = await history.ask(lambda runtime: runtime.store.holds.all())
        assert (hold.scope, hold.category) == ("provider", "submit_unknown")
        assert "list" in hold.cause
        del provider.read

    play(simulated_url, scene, {Fault.SERVER_ERROR: 0.05}, 600, 400)


def test_faxes_that_have_to_be_read_back_one_by_one_delay_no_send(simulated_url: str) -> None:
    """The callbacks of the faxes are lost, and no list contains them."""

    async def scene(history: History) -> None:
        provider = history.engine.provider
        provider._read_list = lambda call: SinchResponse(status=200, body=b'{"faxes": [], "totalPages": 0}')  # type: ignore[method-assign]
        first, second = history.mailings
        await history.send(first)
        await asyncio.sleep(POLICY.callback_overdue_s)
        while (reads := provider.counts["read"]) < 10:  # noqa: ASYNC110  # on the simulated clock it costs nothing
            await asyncio.sleep(1.0)
        await history.send(second)
        await asyncio.sleep(2.0)
        sends = await sends_in(history, 20.0)
        assert 10 < provider.counts["read"] - reads < 150, "the number of reads beside the sends"
        assert sum(sends) / len(sends) >= _MIN_SHARE * _RATE

    play(simulated_url, scene, {Fault.CALLBACK_LOST: 1.0}, 200, 250)


async def unclear(history: History) -> int:
    """Return the number of unclear attempts."""
    (count,) = history.engine.server.call([("ZCARD", KEYS.watch[Place.UNCLEAR])])
    return int(count)
