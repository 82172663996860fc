"""What the scheduler does in a tick: leases for bulk and urgent jobs, due entries, and batches past their deadline."""

import asyncio

import pytest

from dispatcher.core.batch import Priority
from dispatcher.core.limits.allowance import Period
from dispatcher.core.policy.policy import Policy
from dispatcher.service.permits import NoPermit, ReadKind, ReadPermits
from dispatcher.service.scheduling import AHEAD_S, Scheduler
from dispatcher.store.dispatch import Candidate
from dispatcher.store.protocol import BeginWord
from dispatcher.store.server_clock import steady_clock
from dispatcher.store.store import Store
from tests.service.samples import draft, running

pytestmark = pytest.mark.anyio
RATE = 1000


def make_scheduler(store: Store) -> Scheduler:
    return Scheduler(store, Policy(), steady_clock, max_in_flight=10_000)


async def jobs_of(store: Store, leases: tuple[tuple[Priority, str], ...], priority: Priority) -> int:
    fetched = [
        await store.dispatch.fetch(lease_id) for lease_priority, lease_id in leases if lease_priority is priority
    ]
    return sum(len(lease.jobs) for lease in fetched if lease)


async def test_no_more_work_is_leased_than_half_a_second_of_the_rate(store: Store) -> None:
    await running(store, 2000)
    scheduler, other = make_scheduler(store), make_scheduler(store)
    ticks = [await scheduler.tick(), await other.tick(), await scheduler.tick()]
    jobs = [await jobs_of(store, due.leases, Priority.BULK) for due in ticks]
    assert jobs == [RATE * AHEAD_S, 0, 0], "two schedulers keep no more ahead than one"


async def begun(store: Store, leases: tuple[tuple[Priority, str], ...]) -> int:
    """How many jobs of these leases are granted a permit."""
    words = []
    for _, lease_id in leases:
        lease = await store.dispatch.fetch(lease_id)
        assert lease
        candidates = [Candidate(job=job, number_hash=str(job), number="") for job in lease.jobs]
        answer = await store.dispatch.begin(lease, candidates, max_in_flight=1000)
        words += [start.word for start in answer.jobs]
    return words.count(BeginWord.GO) if set(words) <= {"go"} else -1


async def test_no_more_is_leased_than_the_day_allows_until_an_operator_raises_it(store: Store, redis_url: str) -> None:
    """What is leased gets its permit, and while there is none nothing is leased. The operator's is another process."""
    await store.rate_limiter.set_ceiling(1000.0, per_day=5)
    await running(store, 20)
    scheduler = make_scheduler(store)
    assert await begun(store, (await scheduler.tick()).leases) == 5
    assert (await scheduler.tick()).leases == ()
    other = Store(redis_url, Policy(), documents_max_bytes=1)
    await other.rate_limiter.set_by_operator({Period.DAY: 8})
    assert await begun(store, (await scheduler.tick()).leases) == 3
    await other.rate_limiter.set_ceiling(1000.0, per_day=20)
    assert (await scheduler.tick()).leases == (), "settings of a process that starts change nothing"
    await other.rate_limiter.back_to_settings()
    assert await begun(store, (await scheduler.tick()).leases) == 12
    await other.aclose()


async def test_a_read_that_no_permit_comes_for_is_given_up_at_once(store: Store) -> None:
    """The job comes due again; nobody waits for hours."""
    await store.rate_limiter.set_ceiling(1000.0, per_day=1)
    permits = ReadPermits(store.rate_limiter, at_once=1)
    async with permits.read(ReadKind.FAX):
        pass
    with pytest.raises(NoPermit):
        await permits.read(ReadKind.FAX).__aenter__()


async def test_urgent_work_is_leased_beyond_that(store: Store) -> None:
    await running(store, 1000)
    await make_scheduler(store).tick()
    await running(store, 10, priority=Priority.URGENT)
    due = await make_scheduler(store).tick()
    assert await jobs_of(store, due.leases, Priority.URGENT) == 10


async def test_bulk_work_keeps_a_tenth_of_the_leases_while_urgent_work_waits(store: Store) -> None:
    await running(store, 2000)
    await running(store, 2000, priority=Priority.URGENT)
    scheduler, urgent, bulk = make_scheduler(store), 0, 0
    for _ in range(3):
        leases = (await scheduler.tick()).leases
        urgent += sum(priority is Priority.URGENT for priority, _ in leases)
        bulk += sum(priority is Priority.BULK for priority, _ in leases)
        for _, lease_id in leases:
            await give_back(store, lease_id)
    assert urgent > 40
    assert bulk == urgent // 10


async def give_back(store: Store, lease_id: str) -> None:
    """Make room for the next claims, as begin does when it grants nothing."""
    lease = await store.dispatch.fetch(lease_id)
    assert lease
    candidates = [Candidate(job=job, number_hash=str(job), number="") for job in lease.jobs]
    await store.dispatch.begin(lease, candidates, max_in_flight=0)


async def test_a_pause_of_the_scheduler_is_no_step_of_the_clock(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever it falls: a pause while the server is asked leaves open which moment its answer tells of."""
    own_s, paused_s = 0.0, 0.0

    async def ask() -> int:
        nonlocal own_s
        asked_ms = 1_795_000_000_000 + round(own_s * 1000)
        own_s += paused_s
        return asked_ms

    monkeypatch.setattr(store.clock, "ask", ask)
    scheduler = Scheduler(store, Policy(), lambda: own_s, max_in_flight=100)
    own_s = 1e6
    await scheduler._read_clock()
    own_s += Policy().search_period_s * 2
    steady = []
    for pause_s in (0.0, 5.0, 0.0, 60.0, 0.0):
        own_s, paused_s = own_s + 1, pause_s
        steady.append((await scheduler._read_clock())[1])
        own_s += 30.0  # and a pause between two readings
    assert steady == [True, False, True, False, True]


async def test_nothing_to_do_is_no_work(store: Store) -> None:
    await draft(store, 10)
    assert not await make_scheduler(store).tick()


async def test_a_batch_ends_at_its_deadline(store: Store) -> None:
    deadline_ms = await store.clock.now_ms() + 300
    batch = await running(store, 10, deadline_ms=deadline_ms)
    while await store.clock.now_ms() <= deadline_ms:  # noqa: ASYNC110  # a clock tells nobody that time has passed
        await asyncio.sleep(0.01)
    await make_scheduler(store).tick()
    overview = await store.batches.overview(batch)
    assert overview
    assert overview.control == "expired"
