"""What limits sending, on a real store: every word that the store can show comes."""

from collections.abc import AsyncIterator

import pytest

from dispatcher.core.batch import Command
from dispatcher.core.limits.limited_by import LimitedBy
from dispatcher.core.policy.policy import Policy
from dispatcher.service.limits import what_limits, what_limits_batches
from dispatcher.store.dispatch import Candidate
from dispatcher.store.store import Store
from tests.service.system import store_in
from tests.store.fixture import KEYS, StoreFixture, number, open_store

pytestmark = pytest.mark.anyio


@pytest.fixture
async def db(redis_url: str) -> AsyncIterator[StoreFixture]:
    async with open_store(redis_url) as db:
        yield db


@pytest.fixture
async def store(db: StoreFixture, redis_url: str) -> AsyncIterator[Store]:
    """With a worker and a scheduler that were seen just now."""
    store = store_in(db, redis_url)
    db.scripts.worker = str
    await db.client.delete(KEYS.workers)
    await store.workers.register("host/1", "a", room=8)
    await see_scheduler(db)
    yield store
    await store.aclose()


async def see_scheduler(db: StoreFixture) -> None:
    await db.client.hset(KEYS.clock, "boot", f"[{db.ms}, 0, 0]")


async def words(store: Store, *batches: str, max_in_flight: int = 512) -> list[LimitedBy | None]:
    limits = await what_limits(store, max_in_flight=max_in_flight)
    of_batches = await what_limits_batches(store, batches, max_in_flight=max_in_flight)
    return [limits.account, *(of_batches[batch].word for batch in batches)]


async def test_nothing_to_send_is_no_limit(store: Store) -> None:
    assert await words(store) == [None]


async def test_a_batch_is_limited_by_the_rate_once_it_is_started(db: StoreFixture, store: Store) -> None:
    await db.draft("a", ["+12025550101"])
    assert await words(store, "a") == [LimitedBy.NOT_STARTED] * 2
    await store.batches.command("a", Command.START)
    assert await words(store, "a") == [LimitedBy.RATE] * 2
    await store.batches.command("a", Command.PAUSE)
    assert await words(store, "a") == [LimitedBy.PAUSED] * 2


async def test_nobody_who_sends_comes_before_everything_else(db: StoreFixture, store: Store) -> None:
    await db.running("a", 3)
    await store.holds.open("account", "funds", "no funds")
    assert await words(store, "a") == [LimitedBy.HOLD] * 2
    await store.workers.report_end("host/1", "a")
    assert await words(store, "a") == [LimitedBy.NO_WORKER] * 2
    await db.client.delete(KEYS.clock)
    assert await words(store, "a") == [LimitedBy.NO_SCHEDULER] * 2


async def test_a_held_batch_does_not_limit_the_others(db: StoreFixture, store: Store) -> None:
    await db.running("a", 3)
    await db.running("b", 3, first=10)
    await store.holds.open("batch:a", "config", "wrong cover page")
    assert await words(store, "a", "b") == [LimitedBy.RATE, LimitedBy.HOLD, LimitedBy.RATE]


async def test_a_provider_that_asked_to_wait_and_a_used_up_day(db: StoreFixture, store: Store) -> None:
    await db.running("a", 3)
    await db.limiter.set_ceiling(10, per_day=1)
    assert (await db.limiter.take_permit()).granted
    assert await words(store, "a") == [LimitedBy.ALLOWANCE] * 2
    await db.limiter.slow_down(0, 60.0, 0.5)
    assert await words(store, "a") == [LimitedBy.PROVIDER_WAIT] * 2


async def test_as_many_sends_in_flight_as_are_allowed(db: StoreFixture, store: Store) -> None:
    await db.running("a", 3)
    await db.sending(max_jobs=2)
    assert await words(store, "a", max_in_flight=2) == [LimitedBy.IN_FLIGHT] * 2
    assert await words(store, "a", max_in_flight=3) == [LimitedBy.RATE] * 2


async def test_a_redis_that_takes_no_writes(db: StoreFixture, store: Store) -> None:
    await db.running("a", 3)
    await db.client.config_set("maxmemory", 1)
    try:
        assert await words(store, "a") == [LimitedBy.STORE] * 2
    finally:
        await db.client.config_set("maxmemory", 0)


async def test_jobs_that_wait_for_a_hold_of_their_own_or_their_country_are_held(db: StoreFixture, store: Store) -> None:
    """Parked rows have no time, and a batch that is held is in no list of those with work."""
    await db.draft("a", [number(index) for index in range(3)], regions=["US"] * 3)
    await store.holds.open("country:US", "not_permitted", "why")
    await store.batches.command("a", Command.START)
    assert await db.claim() is None
    assert await words(store, "a") == [LimitedBy.HOLD] * 2
    await store.holds.release("country:US")
    await db.leased(max_jobs=2)
    assert await words(store, "a") == [LimitedBy.RATE] * 2
    await store.holds.open("batch:a", "config", "why")
    assert await db.claim() is None
    assert await words(store, "a") == [LimitedBy.HOLD] * 2


async def test_a_job_that_waits_for_a_person_is_held(db: StoreFixture, store: Store) -> None:
    await db.running("a", 1)
    lease = await db.leased()
    await store.holds.open("job:a.0", "internal", "why")
    await db.begin(lease)
    assert await words(store, "a") == [LimitedBy.HOLD] * 2


async def test_a_job_that_waits_for_the_end_of_another_call_to_its_number(db: StoreFixture, store: Store) -> None:
    await db.running("a", 2)
    lease = await db.leased()
    same = [Candidate(job=job, number_hash="one number", number="") for job in lease.jobs]
    answer = await db.dispatch.begin(lease, same, max_in_flight=512)
    assert [begun.word for begun in answer.jobs] == ["go", "number"]
    assert await words(store, "a") == [LimitedBy.NUMBER_BUSY] * 2
    await db.pass_ms(round(Policy().number_busy_s * 1000))
    await see_scheduler(db)
    assert await words(store, "a") == [LimitedBy.RATE] * 2
