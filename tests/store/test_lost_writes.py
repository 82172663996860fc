"""A failover to a replica that was behind, with two real servers and a name that moves."""

from collections.abc import AsyncIterator

import pytest

from dispatcher.core.batch import Command, Definition
from dispatcher.core.policy.policy import Policy
from dispatcher.store.dispatch import BeginAnswer, Candidate
from dispatcher.store.errors import StoreRolledBack
from dispatcher.store.rollback import ROLLED_BACK
from dispatcher.store.store import Store
from tests.store.fixture import KEYS, number, upload_chunk
from tests.store.moving_name import MovingName
from tests.store.replicas import Pair, open_pair

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
async def pair(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Pair]:
    async with open_pair(tmp_path_factory.mktemp("pair")) as pair:
        yield pair


@pytest.fixture
async def name(pair: Pair) -> AsyncIterator[MovingName]:
    await pair.at_master.flushall()
    await pair.follow()
    async with MovingName(pair.master.url) as name:
        yield name


@pytest.fixture
async def store(name: MovingName) -> AsyncIterator[Store]:
    store = Store(name.url, Policy(), documents_max_bytes=1_000)
    await store.rate_limiter.set_ceiling(100.0)
    store.workers.speak_as("worker", "first", lambda: 100)
    await store.batches.create(Definition(id="a", name="a", created_ms=1))
    await store.batches.add_chunk("a", upload_chunk([number(0)]))
    await store.batches.command("a", Command.START)
    yield store
    await store.aclose()


async def begin(store: Store) -> BeginAnswer:
    lease = await store.dispatch.claim("bulk", max_jobs=1, max_ahead=1, max_in_flight=1)
    assert lease is not None
    candidates = [Candidate(job=job, number_hash=str(job), number="") for job in lease.jobs]
    return await store.dispatch.begin(lease, candidates, max_in_flight=1)


async def test_what_was_begun_on_the_lost_master_is_void(pair: Pair, name: MovingName, store: Store) -> None:
    await pair.in_step()
    await pair.cut()
    begun = await begin(store)
    assert begun.jobs[0].word == "go"
    assert begun.still_valid()
    await pair.swap()
    name.move(pair.master.url)
    with pytest.raises(StoreRolledBack):
        await store.inbox.add([b"{}"])
    assert not begun.still_valid()
    assert [hold.category for hold in await store.holds.all()] == [ROLLED_BACK]
    assert len(await store.inbox.add([b"{}"])) == 1


async def test_a_failover_that_loses_nothing_holds_nothing(pair: Pair, name: MovingName, store: Store) -> None:
    begun = await begin(store)
    await pair.in_step()
    await pair.swap()
    name.move(pair.master.url)
    await store.inbox.add([b"{}"])
    assert begun.still_valid()
    assert await store.holds.all() == []


async def test_an_old_connection_to_a_master_that_does_not_know_of_its_end_holds_nothing(
    pair: Pair, name: MovingName, store: Store
) -> None:
    """It still takes writes, and nobody hears of them: its epoch shows it, and the name leads to the right one."""
    await pair.in_step()
    await pair.cut()
    name.move(pair.replica.url)
    other = Store(name.url, Policy(), documents_max_bytes=1_000)
    for _ in range(3):
        await other.inbox.add([b"{}"])
    store.epoch.see(other.epoch.highest)
    await store.inbox.add([b"{}"])
    assert await pair.at_replica.xlen(KEYS.inbox) == 4
    assert await pair.at_master.xlen(KEYS.inbox) == 0
    assert await store.holds.all() == await other.holds.all() == []
    await other.aclose()
