"""The store on a real Redis Cluster of three masters: all keys of an account are at one of them."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import anyio.to_thread
import pytest
import redis
from redis.crc import key_slot

from dispatcher.cli.services import ensure_can_start
from dispatcher.core.batch import Command, Definition
from dispatcher.core.policy.policy import Policy
from dispatcher.local.errors import ServerNotStarted
from dispatcher.runtime import check_broker
from dispatcher.service.doctor import examine
from dispatcher.settings import Settings, SettingsError
from dispatcher.store import lua
from dispatcher.store.dispatch import Candidate
from dispatcher.store.errors import StoreUnavailable, WrongServer
from dispatcher.store.keys import Keys
from dispatcher.store.protocol import constants
from dispatcher.store.store import Store
from tests.redis_servers import PASSWORD, ClusterGroup, redis_cluster
from tests.store.fixture import number, upload_chunk

pytestmark = pytest.mark.anyio

SLOT = key_slot(Keys().epoch.encode())


@pytest.fixture(scope="module")
def group(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterGroup]:
    try:
        with redis_cluster(tmp_path_factory.mktemp("cluster")) as group:
            yield group
    except ServerNotStarted as error:
        pytest.skip(str(error))


@pytest.fixture
async def store(group: ClusterGroup) -> AsyncIterator[Store]:
    with group.client_of(group.owner(SLOT)) as client:
        client.flushall()
    store = Store(group.url, Policy(), documents_max_bytes=1_000)
    await store.rate_limiter.set_ceiling(100.0)
    store.workers.speak_as("worker", "first", lambda: 100)
    yield store
    await store.aclose()


async def start(store: Store, batch: str) -> None:
    await store.batches.create(Definition(id=batch, name=batch, created_ms=1))
    await store.batches.add_chunk(batch, upload_chunk([number(0), number(1)]))
    await store.batches.command(batch, Command.START)


async def test_everything_of_an_account_is_at_one_node(group: ClusterGroup, store: Store) -> None:
    """Any command that needed a key of another slot would be refused, in a script and in a pipeline."""
    await store.check_settings()
    await store.layout.establish()
    await store.documents.put(b"x", "x.pdf", 1)
    await store.inbox.add([b"{}"])
    await store.secrets.number_key()
    await start(store, "a")
    lease = await store.dispatch.claim("bulk", max_jobs=2, max_ahead=2, max_in_flight=2)
    assert lease is not None
    candidates = [Candidate(job=job, number_hash=str(job), number="") for job in lease.jobs]
    answer = await store.dispatch.begin(lease, candidates, max_in_flight=2)
    assert [begun.word for begun in answer.jobs] == ["go", "go"]
    findings = await examine(store, fix=True, progress=lambda done, total: None)
    assert [finding.text for finding in findings if not finding.ok] == []
    sizes = {}
    for node in group.nodes:
        with group.client_of(node) as client:
            sizes[node.port] = client.dbsize()
    assert [port for port, size in sizes.items() if size] == [group.owner(SLOT).port]


async def test_a_node_that_gave_the_account_away_is_left_for_the_one_that_has_it(
    group: ClusterGroup, store: Store
) -> None:
    await asyncio.gather(*(store.ping() for _ in range(8)))
    old = group.owner(SLOT)
    new = next(node for node in group.nodes if node is not old)
    with group.client_of(old) as client:
        client.flushall()  # so that no key has to be moved
    with group.client_of(new) as client:
        own_id: Any = client.execute_command("CLUSTER", "MYID")
    for node in (new, old):
        with group.client_of(node) as client:
            client.execute_command("CLUSTER", "SETSLOT", SLOT, "NODE", own_id)
    await start(store, "a")
    assert group.owner(SLOT) is new
    with group.client_of(new) as client:
        assert client.exists(Keys().batch("a"))


async def test_a_slot_that_is_being_moved_is_an_outage_and_damages_nothing(group: ClusterGroup, store: Store) -> None:
    """Keys are at two nodes then. A script that needs one that is gone must not take its batch for damaged."""
    await start(store, "a")
    old = group.owner(SLOT)
    new = next(node for node in group.nodes if node is not old)
    with group.client_of(new) as client:
        new_id: Any = client.execute_command("CLUSTER", "MYID")
    with group.client_of(old) as client:
        client.execute_command("CLUSTER", "SETSLOT", SLOT, "MIGRATING", new_id)
    with old.client(password=PASSWORD) as client:
        saved: Any = client.dump(Keys().batch("a"))
        client.delete(Keys().batch("a"))
        with pytest.raises(StoreUnavailable, match="cluster"):
            await store.dispatch.claim("bulk", max_jobs=2, max_ahead=2, max_in_flight=2)
        with pytest.raises(StoreUnavailable, match="cluster"):
            await store.batches.overview("a")
        client.execute_command("CLUSTER", "SETSLOT", SLOT, "STABLE")
        client.restore(Keys().batch("a"), 0, saved)
    lease = await store.dispatch.claim("bulk", max_jobs=2, max_ahead=2, max_in_flight=2)
    assert lease is not None
    assert len(lease.jobs) == 2


@pytest.mark.parametrize(
    ("said", "stops"),
    [
        ("Script attempted to access a non local key in a cluster node", True),
        ("Script attempted to execute a command while the cluster is down", True),
        ("WRONGTYPE Operation against a key holding the wrong kind of value", False),
    ],
)
def test_a_script_takes_no_batch_for_damaged_because_of_the_cluster(redis_url: str, said: str, stops: bool) -> None:
    prelude = constants("damage") + (Path(lua.__file__).parent / "scripts" / "prelude" / "damage.lua").read_text()
    script = f"{prelude}\nreturn tostring(alone(function() error({{err = ARGV[1]}}) end))"
    with redis.Redis.from_url(redis_url) as client:
        if stops:
            with pytest.raises(redis.ResponseError, match=said):
                client.eval(script, 0, said)
        else:
            assert client.eval(script, 0, said) == b"false"


async def test_a_plain_address_of_a_node_is_refused_in_one_sentence(group: ClusterGroup) -> None:
    node = group.owner(SLOT)
    store = Store(f"redis://:{PASSWORD}@127.0.0.1:{node.port}/0", Policy(), documents_max_bytes=1)
    for check in (store.check_kind, store.check_settings):
        with pytest.raises(WrongServer, match="a node of a Redis Cluster: write its address as redis\\+cluster"):
            await check()
    await store.aclose()


async def test_nothing_is_started_on_a_plain_address_of_a_node(group: ClusterGroup) -> None:
    settings = Settings(redis_url=f"redis://:{PASSWORD}@127.0.0.1:{group.nodes[0].port}/0")
    with pytest.raises(WrongServer, match="a node of a Redis Cluster"):
        await anyio.to_thread.run_sync(ensure_can_start, settings)


async def test_a_server_that_is_no_cluster_is_refused(redis_url: str) -> None:
    host = redis_url.rpartition("@")[2].partition("/")[0]
    login = redis_url.partition("//")[2].rpartition("@")[0]
    store = Store(f"redis+cluster://{login}@{host}", Policy(), documents_max_bytes=1)
    with pytest.raises(StoreUnavailable, match="cluster support disabled"):
        await store.check_settings()
    await store.aclose()


async def test_no_cluster_carries_messages(group: ClusterGroup) -> None:
    plain = f"redis://:{PASSWORD}@127.0.0.1:{group.nodes[0].port}/0"
    for settings in (
        Settings(redis_url=group.url),
        Settings(redis_url=plain, broker_url=group.url),
        Settings(redis_url=group.url, broker_url=plain),
    ):
        with pytest.raises(SettingsError, match=r"^BULKFAX_BROKER_URL: name a Redis server that is no cluster"):
            await check_broker(settings)
    await check_broker(Settings(redis_url=group.url, broker_url="redis://127.0.0.1:1/0"))
