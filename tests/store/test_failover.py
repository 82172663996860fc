"""A name that moves from a demoted master to its replica, while old connections live on."""

import asyncio
from collections.abc import AsyncIterator

import anyio.to_thread
import pytest
import redis

from dispatcher.core.batch import Command, Definition
from dispatcher.core.policy.policy import Policy
from dispatcher.store import client as client_module
from dispatcher.store.client import connect, connect_blocking
from dispatcher.store.errors import StoreRefuses, StoreUnavailable, translated
from dispatcher.store.store import Store
from tests.store.fixture import number, upload_chunk
from tests.store.moving_name import MovingName
from tests.store.replicas import Pair, open_pair, until

pytestmark = pytest.mark.anyio

CONNECTIONS = 6


@pytest.fixture(scope="module")
async def pair(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Pair]:
    """Each test is one failover: the next one begins with the servers the other way round."""
    async with open_pair(tmp_path_factory.mktemp("pair")) as pair:
        yield pair


@pytest.fixture
async def name(pair: Pair) -> AsyncIterator[MovingName]:
    await pair.in_step()
    await pair.at_master.flushall()
    async with MovingName(pair.master.url) as name:
        yield name


async def fail_over(pair: Pair, name: MovingName) -> None:
    await pair.in_step()
    await pair.swap()
    name.move(pair.master.url)


async def test_every_connection_leaves_a_demoted_master_at_the_first_refusal(pair: Pair, name: MovingName) -> None:
    """Also those that only read: a demoted master answers them, with what it had."""
    client = connect(name.url)
    await asyncio.gather(*(client.blpop(["nothing"], timeout=0.1) for _ in range(CONNECTIONS)))
    await client.set("key", "old")
    await fail_over(pair, name)
    await client.set("key", "new")  # refused on the first connection, and taken on a new one
    assert await asyncio.gather(*(client.get("key") for _ in range(CONNECTIONS))) == [b"new"] * CONNECTIONS
    assert name.connections >= CONNECTIONS, "each connection was made anew"
    assert await pair.at_master.get("key") == b"new"
    await client.aclose()


async def test_the_store_goes_on_with_its_scripts_and_transactions(pair: Pair, name: MovingName) -> None:
    store = Store(name.url, Policy(), documents_max_bytes=1_000)
    await store.rate_limiter.set_ceiling(100.0)
    store.workers.speak_as("worker", "first", lambda: 100)
    await store.batches.create(Definition(id="a", name="a", created_ms=1))
    await fail_over(pair, name)
    assert (await store.batches.add_chunk("a", upload_chunk([number(0)]))).status == "stored"
    await store.batches.command("a", Command.START)
    assert await store.dispatch.claim("bulk", max_jobs=1, max_ahead=1, max_in_flight=1) is not None
    assert await store.batches.create(Definition(id="b", name="b", created_ms=1)) == "created"
    await store.documents.put(b"x", "x.pdf", 1)
    await store.aclose()


async def test_whoever_blocks_on_a_master_that_is_demoted_goes_on_at_the_other(pair: Pair, name: MovingName) -> None:
    client = connect(name.url)
    waiting = asyncio.create_task(client.blpop(["list"], timeout=1.5))

    async def blocked() -> bool:
        return bool((await pair.at_master.info("clients"))["blocked_clients"])

    await until(blocked)
    await fail_over(pair, name)
    await pair.at_master.rpush("list", "item")
    assert await waiting in ((b"list", b"item"), [b"list", b"item"])
    await client.aclose()


async def test_the_brokers_client_leaves_a_demoted_master_with_all_its_connections(
    pair: Pair, name: MovingName
) -> None:
    """It repeats nothing by itself: dramatiq takes the error for a broken connection and goes on."""
    client = connect_blocking(name.url, timeout_s=5)
    pool = client.connection_pool
    idle = [await anyio.to_thread.run_sync(pool.get_connection) for _ in range(CONNECTIONS)]
    for connection in idle:
        pool.release(connection)
    await fail_over(pair, name)
    with pytest.raises(redis.ConnectionError):
        await anyio.to_thread.run_sync(client.set, "key", "value")
    assert not any(connection.is_connected for connection in idle)
    await anyio.to_thread.run_sync(client.set, "key", "value")
    assert await pair.at_master.get("key") == b"value"
    client.close()


async def test_a_copy_without_its_master_refuses_reads_and_is_left_as_well(pair: Pair, name: MovingName) -> None:
    """With ``replica-serve-stale-data no`` it answers MASTERDOWN. A copy with its master is no better for writes."""
    name.move(pair.replica.url)
    client = connect(name.url)
    await pair.at_replica.config_set("replica-serve-stale-data", "no")
    await pair.at_replica.replicaof("127.0.0.1", "1")
    with pytest.raises(StoreUnavailable, match="does not answer"), translated():
        await client.get("key")
    await pair.at_replica.config_set("replica-serve-stale-data", "yes")
    with pytest.raises(StoreRefuses, match="takes no writes"), translated():
        await client.set("key", "value")
    name.move(pair.master.url)
    await client.set("key", "value")
    assert await pair.at_master.get("key") == b"value"
    await client.aclose()
    await pair.follow()


@pytest.mark.parametrize(
    "error",
    [
        redis.exceptions.ReadOnlyError("You can't write against a read only replica."),
        redis.exceptions.BusyLoadingError("Redis is loading the dataset in memory"),
        redis.exceptions.MasterDownError("Link with MASTER is down and replica-serve-stale-data is set to 'no'."),
        redis.ResponseError("UNBLOCKED force unblock from blocking operation, instance state changed"),
        redis.ResponseError("Error running script (call to f_1): @user_script:9: -READONLY You can't write against"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_a_server_says_that_is_no_master(error: Exception) -> None:
    """The last one is how Redis 6.2 says it of a script."""
    assert client_module._means_no_master(error)
    assert not client_module._means_no_master(redis.ResponseError("NOREPLICAS Not enough good replicas to write."))
