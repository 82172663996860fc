"""A thousand pauses, resumes, cancels and restarts in the middle of mailings: nobody is faxed twice or forgotten."""

from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

import pytest

from dispatcher.core.batch import Control
from dispatcher.local.ledger import compare
from dispatcher.local.redis_server import EmbeddedServer
from dispatcher.service import scheduling
from dispatcher.service.doctor import examine
from dispatcher.store.store import Store
from tests.service.cycles import Cycles
from tests.service.system import MAX_IN_FLIGHT, store_in
from tests.store.fixture import StoreFixture, open_store

CYCLES, STEP_CYCLES = 1000, 100
SEED = 20
#: the account's rate: slots that nobody has to wait for
RATE = 10_000.0


@pytest.fixture
async def parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[StoreFixture, Store, EmbeddedServer]]:
    """A server of its own, and small leases: commands shall meet batches that have hardly begun."""
    monkeypatch.setattr(scheduling, "LEASE_S", 2 / RATE)
    monkeypatch.setattr(scheduling, "AHEAD_S", MAX_IN_FLIGHT / RATE)
    with EmbeddedServer(tmp_path / "redis") as server:
        async with open_store(server.url) as db:
            await db.limiter.set_ceiling(RATE)
            store = store_in(db, server.url)
            yield db, store, server
            await store.aclose()


async def faults(cycles: Cycles) -> list[str]:
    findings = await examine(cycles.store, fix=False, progress=lambda *_: None)
    # the store's clock is not this machine's
    return [finding.text for finding in findings if not finding.ok and finding.check != "clock"]


@pytest.mark.story
@pytest.mark.anyio
async def test_a_thousand_commands_and_restarts_double_nobody_and_skip_nobody(
    parts: tuple[StoreFixture, Store, EmbeddedServer],
) -> None:
    cycles = Cycles(*parts, Random(SEED))
    await run_to_the_end(cycles, CYCLES)
    assert all(cycles.done[word] > 10 for word in ("pause", "resume", "cancel", "restart", "change"))
    assert len(cycles.provider.senders) > 10


@pytest.mark.story
@pytest.mark.anyio
async def test_steps_of_the_servers_clock_double_nobody_and_lose_nobody(
    parts: tuple[StoreFixture, Store, EmbeddedServer],
) -> None:
    """By five minutes in either direction, among commands and restarts; the provider's clock and ours go on."""
    cycles = Cycles(*parts, Random(SEED), step_s=300)
    await run_to_the_end(cycles, STEP_CYCLES)
    assert cycles.done["step"] > 10


async def run_to_the_end(cycles: Cycles, rounds: int) -> None:
    """And compare what the provider did with what we say."""
    for _ in range(rounds):
        await cycles.cycle()
    await cycles.finish()
    jobs = await cycles.jobs()
    comparison = compare(jobs, cycles.provider.ledger())
    assert (comparison.lost, comparison.doubled, comparison.wrong_state, comparison.strays) == ((), (), (), ())
    assert cycles.provider.forbidden == [], "no job begins after a pause or a cancel was answered"
    assert cycles.provider.overlapping == [], "no number is called twice at a time, over batches and killed workers"
    skipped = [job.id for job in jobs if job.state != "delivered" and not _is_cancelled(cycles, job.id)]
    assert skipped == []
    assert await faults(cycles) == []
    assert cycles.failures + cycles.system.failures == []


def _is_cancelled(cycles: Cycles, job: str) -> bool:
    return cycles.controls[job.partition(".")[0]] is Control.CANCELLED
