"""A batch with a rate of its own."""

import asyncio
import time

import pytest

from dispatcher.core.destinations import PriceList
from dispatcher.core.limits.limited_by import LimitedBy
from dispatcher.service.forecast import forecast
from dispatcher.service.limits import what_limits_batches
from dispatcher.store.store import Store
from tests.service.samples import running

pytestmark = pytest.mark.anyio


async def leased_within(store: Store, seconds: float) -> int:
    """Lease all that is due, again and again, for some time."""
    end_s, leased = time.monotonic() + seconds, 0
    while time.monotonic() < end_s:
        lease = await store.dispatch.claim("bulk", max_jobs=32, max_ahead=1000, max_in_flight=1000)
        leased += len(lease.jobs) if lease else 0
        await asyncio.sleep(0.002)
    return leased


async def test_no_more_is_leased_than_its_own_rate_and_others_are_not_kept_back(store: Store) -> None:
    slow = await running(store, 500, max_per_second=50.0)
    began_s = time.monotonic()
    leased = await leased_within(store, 1.0)
    passed_s = time.monotonic() - began_s
    assert 0.8 * 50 * 1.0 <= leased <= 50 * passed_s + 6
    fast = await running(store, 40)
    await leased_within(store, 0.2)
    overview = await store.batches.overview(fast)
    assert overview
    assert overview.cursor == 40
    word = (await what_limits_batches(store, [slow], max_in_flight=1000))[slow].word
    assert word in (LimitedBy.BATCH_RATE, LimitedBy.NO_SCHEDULER)


async def test_one_job_after_the_other_at_a_low_rate(store: Store) -> None:
    await running(store, 5, max_per_second=2.0)
    assert await leased_within(store, 0.2) == 1
    assert await leased_within(store, 0.6) == 1


async def test_a_time_of_a_clock_that_was_set_back_stops_nothing(store: Store) -> None:
    batch = await running(store, 5, max_per_second=1.0)
    await store._client.hset(store._keys.batch(batch), "pace_us", str(10**18))
    assert await leased_within(store, 0.1) == 1


async def test_the_forecast_knows_of_it(store: Store) -> None:
    batch = await running(store, 100, max_per_second=0.5)
    seen = (await forecast(store, batch, PriceList(), max_in_flight=100)).outlook
    stopped = seen.limited_by in (LimitedBy.NO_SCHEDULER, LimitedBy.NO_WORKER)
    assert stopped or seen.limited_by is LimitedBy.BATCH_RATE
