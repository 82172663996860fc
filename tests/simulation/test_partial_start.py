"""A part of a batch is started, jobs are cancelled, and the rest continues: with faults and the default policy."""

import asyncio
import math
from random import Random

import pytest

from dispatcher.core.batch import Command, Definition
from dispatcher.core.job import Recipient, State
from dispatcher.core.job_filter import JobFilter
from dispatcher.core.limits.limited_by import LimitedBy
from dispatcher.core.names import UploadName
from dispatcher.runtime import Runtime
from dispatcher.service.job_cancellation import cancel_jobs
from dispatcher.service.limits import what_limits_batches
from dispatcher.store.batches import UploadChunk
from tests.simulation import clock as simulated_clock
from tests.simulation.clock import SimulatedClock
from tests.simulation.engine import SystemConfig
from tests.simulation.faults import Fault, FaultSchedule
from tests.simulation.history import History, Setup, open_history
from tests.simulation.liveness import Mailing

_CONFIG = SystemConfig(
    rate=10.0, max_in_flight=16, connections=64, workers=2, schedulers=1, public_url="https://fax.example.com"
)
_ROWS, _FIRST = 60, 20
_BATCH = "b0"
_NUMBERS = [f"+1{201 + row // 100}55501{row % 100:02d}" for row in range(_ROWS)]


async def start_part(runtime: Runtime) -> None:
    definition = Definition(id=_BATCH, name="b", created_ms=1, content_urls=("https://example.com/letter.pdf",))
    rows = mailing().recipients
    await runtime.store.batches.create(definition)
    chunk = UploadChunk(upload=UploadName.of_key("u"), first_line=1, last_line=len(rows), recipients=rows)
    await runtime.store.batches.add_chunk(_BATCH, chunk)
    await runtime.store.batches.command(_BATCH, Command.START, quota=_FIRST)


def mailing() -> Mailing:
    recipients = (Recipient(line=n, number=number, region="US") for n, number in enumerate(_NUMBERS, start=1))
    return Mailing(batch=_BATCH, recipients=tuple(recipients))


async def what_limits_it(runtime: Runtime) -> LimitedBy | None:
    return (await what_limits_batches(runtime.store, [_BATCH], max_in_flight=16))[_BATCH].word


async def continue_rest(runtime: Runtime) -> None:
    assert await runtime.store.batches.continue_batch(_BATCH) > 0


async def release_it(runtime: Runtime) -> None:
    """Some failures hold the batch until somebody has looked."""
    await runtime.store.holds.release(f"batch:{_BATCH}")


async def cancel_some(runtime: Runtime) -> None:
    """Cancel a fifth of the rows, in whatever state they are."""
    named = JobFilter(rows=frozenset(range(0, _ROWS, 5)))
    await cancel_jobs(runtime.store, _BATCH, named, reason="a test", preview=False)


def rows_sent(history: History) -> set[int]:
    return set(faxes(history))


async def scene(history: History) -> None:
    await history.ask(start_part)
    words = set[LimitedBy | None]()
    # a word at any time: nothing stands still silently, and none of the rest begins
    for _ in range(120):
        await asyncio.sleep(1.0)
        words.add(await history.ask(what_limits_it))
        assert rows_sent(history) <= set(range(_FIRST))
    assert None not in words
    # unclear sends are looked for before they are repeated
    while rows_sent(history) != set(range(_FIRST)):
        await asyncio.sleep(60.0)
        await history.ask(release_it)
    await history.ask(release_it)
    assert await history.ask(what_limits_it) is LimitedBy.PARTIAL_START
    await history.ask(continue_rest)
    await asyncio.sleep(1.5)
    begun = rows_sent(history)
    await history.ask(cancel_some)
    cancelled, before = await history.ask(cancelled_rows), faxes(history)
    await history.end_faults()
    # the others were in flight or had ended
    assert cancelled <= set(range(0, _ROWS, 5))
    assert [job for job in faxes(history)[len(before) :] if job in cancelled] == []
    assert rows_sent(history) >= set(range(_ROWS)) - cancelled
    assert begun < set(range(_ROWS))


async def cancelled_rows(runtime: Runtime) -> set[int]:
    records = await runtime.store.batches.records(_BATCH, 0)
    return {row for row, record in enumerate(records) if record.state is State.CANCELLED}


def faxes(history: History) -> list[int]:
    """The rows of all faxes that the provider has, in the order in which it took them."""
    return [int(fax.job.partition(".")[2]) for fax in history.engine.provider.ledger()]


@pytest.mark.parametrize("seed", range(1, 7))
def test_a_part_then_the_rest_without_those_that_were_cancelled(simulated_url: str, seed: int) -> None:
    shares = {Fault.SERVER_ERROR: 0.05, Fault.FAX_FAILED: 0.1, Fault.REPLY_LOST: 0.002, Fault.MESSAGE_LOST: 0.05}
    schedule = FaultSchedule(
        rng=Random(f"part {seed}"), faults=frozenset(shares), shares=shares, episodes=(), fault_phase_s=math.inf
    )

    async def run(clock: SimulatedClock) -> list[str]:
        setup = Setup(seed=seed, config=_CONFIG, schedule=schedule, mailings=[mailing()])
        async with open_history(simulated_url, clock, setup) as history:
            await scene(history)
        return history.report.faults

    assert simulated_clock.run(run, seed=seed) == []
