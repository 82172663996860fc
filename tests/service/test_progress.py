"""The progress of batches with the default policy: what is shown of a batch agrees with its jobs."""

import random
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from dispatcher.core.batch import Command
from dispatcher.core.job import JobId, State
from dispatcher.core.limits.limited_by import LimitedBy
from dispatcher.core.prices import arrived
from dispatcher.core.progress import Basis
from dispatcher.service.progress import BatchProgress, progress_of_one
from dispatcher.service.views import BatchView, view_batch
from tests.service.default_policy_system import MAX_IN_FLIGHT, DefaultPolicySystem, open_default_policy_system
from tests.store.fixture import KEYS, number

pytestmark = pytest.mark.anyio

JOBS = 120
HOUR_S = 3_600
FAILURES = (("CALL_ERROR", 17), ("CALL_ERROR", 19), ("LINE_ERROR", 3))
MINUTE_MS = 60_000


@pytest.fixture
async def system(redis_url: str) -> AsyncIterator[DefaultPolicySystem]:
    async with open_default_policy_system(redis_url) as opened:
        await opened.store.workers.register("w", "1")
        yield opened


async def seen(system: DefaultPolicySystem, batch: str = "a") -> tuple[BatchView, BatchProgress]:
    await system.db.client.set(KEYS.scheduler_seen, system.db.ms)
    view = await view_batch(system.store, batch)
    return view, await progress_of_one(system.store, view, max_in_flight=MAX_IN_FLIGHT)


async def check(system: DefaultPolicySystem) -> BatchProgress:
    """Compare what is shown with every job."""
    view, progress = await seen(system)
    records = await system.records()
    due = await system.store.batches.due_times("a", range(len(records)))
    waiting: dict[str, list[int | None]] = {}
    for record, due_ms in zip(records, due, strict=True):
        if record.state is State.WAITING and record.failure.category:
            waiting.setdefault(record.failure.category, []).append(due_ms)
    assert progress.waits is not None
    assert {wait.category: wait.jobs for wait in progress.waits} == {
        name: len(times) for name, times in waiting.items()
    }
    for wait in progress.waits:
        times = [due_ms for due_ms in waiting[wait.category] if due_ms]
        assert times
        assert 0 <= min(times) - wait.next_ms < MINUTE_MS
        assert 0 <= wait.last_ms - max(times) < MINUTE_MS
    stored = await system.store.dispatch.stored([JobId("a", row) for row in range(len(records))])
    gained = [arrived(job.record, job.history) for job in stored if job]
    assert view.overview.pages_sent == sum(job.pages for job in gained)
    costs = Counter[str]()
    for job in gained:
        costs.update(job.costs)
    assert view.overview.costs == costs
    return progress


async def test_what_is_shown_of_a_batch_agrees_with_its_jobs_until_it_ends(system: DefaultPolicySystem) -> None:
    """A third of the calls fails, again and again: the rest waits for hours."""
    dice = random.Random(7)
    system.line.failure = lambda call: dice.choice(FAILURES) if dice.random() < 0.4 else None
    system.line.price = lambda call: 4_500 if call.status.value == "completed" else dice.choice((0, 100))
    await system.db.running("a", JOBS)
    bases = set[Basis]()
    for _ in range(40):
        progress = await check(system)
        if progress.end:
            bases.add(progress.end.basis)
            assert progress.end.at_ms >= system.db.ms
        await system.run(dice.choice((4, 20, 600, HOUR_S)))
        view, _ = await seen(system)
        if not view.overview.tally.live:
            break
    progress = await check(system)
    assert (progress.end, progress.waits, progress.limited_by) == (None, [], None)
    assert Basis.RETRIES in bases
    assert view.overview.costs["USD"] >= 4_500 * view.overview.tally.by_state[State.DELIVERED]


async def test_only_retries_remain(system: DefaultPolicySystem) -> None:
    """Nothing has ended, and yet it is known what the batch waits for and until when."""
    system.line.failure = lambda call: FAILURES[0]
    await system.db.running("a", 30)
    await system.run(30)
    progress = await check(system)
    assert progress.limited_by is LimitedBy.WAITING_FOR_RETRY
    assert progress.rate == 0.0
    assert progress.waits
    assert progress.waits[0].jobs == 30
    assert progress.end
    assert progress.end.basis is Basis.RETRIES
    assert 0 <= progress.waits[0].last_ms - progress.end.at_ms < MINUTE_MS
    await system.store.batches.command("a", Command.PAUSE)
    assert (await seen(system))[1].end is None


async def test_jobs_that_end_make_the_rate(system: DefaultPolicySystem) -> None:
    await system.db.running("a", 300)
    await system.run(10)
    view, progress = await seen(system)
    ended = view.overview.tally.final
    assert 0 < ended < 300
    assert progress.rate == pytest.approx(ended / 10, rel=0.1)
    assert progress.end
    assert progress.end.basis is Basis.RATE
    await system.run(2 * 60)
    view, progress = await seen(system)
    assert (view.overview.tally.final, progress.rate, progress.end) == (300, 0.0, None)


async def test_jobs_that_wait_for_the_rest_of_a_partial_start_leave_the_end_open(system: DefaultPolicySystem) -> None:
    """Also while the part that was started goes out."""
    await system.db.draft("a", [number(index) for index in range(600)])
    await system.store.batches.command("a", Command.START, quota=400)
    await system.run(8)
    view, progress = await seen(system)
    assert 0 < view.overview.tally.final < 400
    assert (view.overview.withheld, progress.limited_by, progress.end) == (200, LimitedBy.RATE, None)
    await system.store.batches.continue_batch("a")
    assert (await seen(system))[1].end


async def test_jobs_that_are_held_one_by_one_leave_the_end_open(system: DefaultPolicySystem) -> None:
    system.line.failure = lambda call: FAILURES[0] if call.to == number(0) else None
    await system.db.running("a", 3)
    await system.run(30)
    await system.store.holds.open("job:a.0", "internal", "somebody looks at it")
    view, progress = await seen(system)
    assert view.overview.held_jobs == {"internal": 1}
    assert progress.end is None
    assert progress.waits
    assert (progress.waits[0].jobs, progress.waits[0].held, progress.waits[0].next_ms) == (1, 1, 0)
    await system.store.holds.release("job:a.0")
    view, progress = await seen(system)
    assert (view.overview.held_jobs, progress.waits and progress.waits[0].held) == ({}, 0)
