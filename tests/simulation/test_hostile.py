"""A hostile provider with the default policy: nothing stalls, and nothing is lost, doubled or unreadable afterwards."""

import asyncio
from collections import Counter
from random import Random

from dispatcher.core.job import Recipient
from dispatcher.runtime import Runtime
from dispatcher.service.jobs import show_job
from dispatcher.service.report import report
from dispatcher.service.views import BatchView, newest_batches
from tests.simulation import clock as simulated_clock
from tests.simulation.clock import SimulatedClock
from tests.simulation.engine import SystemConfig
from tests.simulation.faults import FaultSchedule
from tests.simulation.history import History, Report, Setup, open_history
from tests.simulation.hostile import HostileProvider
from tests.simulation.liveness import Mailing

_SEEDS = (1, 2, 3, 4)
#: share of hostile answers and callbacks, and seconds for which they are
_SHARE, _HOSTILE_S = 0.7, 120.0
#: seconds between two looks of an operator
_ATTEND_S = 10.0
_KINDS = ("hostile answer", "hostile refusal", "hostile callback")
_NUMBERS = [f"+1{area}55501{line:02d}" for area in (202, 212) for line in range(30)]


def setup_of(seed: int) -> Setup:
    """Two mailings, and no faults but those of the hostile provider. With even seeds, results are polled."""
    config = SystemConfig(
        rate=10.0,
        max_in_flight=64,
        connections=64,
        workers=2,
        schedulers=1,
        public_url="https://fax.example.com" if seed % 2 else "",
    )
    schedule = FaultSchedule(
        rng=Random(f"hostile {seed}"), faults=frozenset(), shares={}, episodes=(), fault_phase_s=_HOSTILE_S
    )
    recipients = [Recipient(line=line, number=number, region="US") for line, number in enumerate(_NUMBERS, start=1)]
    halves = recipients[::2], recipients[1::2]
    mailings = [Mailing(batch=f"b{n}", recipients=tuple(rows)) for n, rows in enumerate(halves)]
    return Setup(seed=seed, config=config, schedule=schedule, mailings=mailings)


async def read_everything(history: History) -> None:
    """Read what people see of each job and batch. What cannot be read raises an error."""

    async def read(runtime: Runtime) -> None:
        for mailing in history.mailings:
            for row in range(len(mailing.recipients)):
                await show_job(runtime.store, f"{mailing.batch}.{row}")
            assert [piece async for piece in await report(runtime.store, mailing.batch)]
        shown = (await newest_batches(runtime.store, 10)).views
        assert all(isinstance(view, BatchView) for view in shown)
        assert len(shown) == len(history.mailings)

    await history.ask(read)


async def attend(history: History) -> None:
    """End holds and pauses from time to time. An hour's pause would outlast the time of the hostile answers."""
    while True:
        await asyncio.sleep(_ATTEND_S)
        await history.act_as_operator()


def play(url: str, seed: int) -> Report:
    async def run(clock: SimulatedClock) -> Report:
        async with open_history(url, clock, setup_of(seed)) as history:
            HostileProvider(history.engine, _SHARE, seed)
            attending = asyncio.create_task(attend(history))
            await history.play()
            attending.cancel()
            await read_everything(history)
        return history.report

    return simulated_clock.run(run, seed=seed)


def test_a_hostile_provider_stalls_loses_doubles_and_damages_nothing(simulated_url: str) -> None:
    seen = Counter[str]()
    for seed in _SEEDS:
        result = play(simulated_url, seed)
        assert not result.faults, str(result)
        seen += result.counts
    assert all(seen[kind] for kind in _KINDS), seen
