"""The store and the queues behind three real Sentinels and three real servers."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress

import anyio.to_thread
import pytest

from dispatcher.core.batch import Definition
from dispatcher.core.policy.policy import Policy
from dispatcher.local.errors import ServerNotStarted
from dispatcher.store.client import _CONNECTIONS
from dispatcher.store.errors import StoreError, StoreUnavailable, WrongServer
from dispatcher.store.locating import SentinelLocator
from dispatcher.store.queues import Queues
from dispatcher.store.store import Store
from tests.redis_servers import MASTER, PASSWORD, SENTINEL_PASSWORD, SentinelGroup, sentinel_group, until
from tests.store.fixture import KEYS

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def group(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SentinelGroup]:
    try:
        with sentinel_group(tmp_path_factory.mktemp("sentinel")) as group:
            yield group
    except ServerNotStarted as error:
        pytest.skip(str(error))


@pytest.fixture
async def store(group: SentinelGroup) -> AsyncIterator[Store]:
    store = store_at(group.url)
    yield store
    await store.aclose()


def store_at(url: str) -> Store:
    return Store(url, Policy(), documents_max_bytes=1_000)


def batch(name: str) -> Definition:
    return Definition(id=name, name=name, created_ms=1)


async def test_the_master_is_used_with_a_bounded_pool(group: SentinelGroup, store: Store) -> None:
    await store.check_settings()
    await store.batches.create(batch("a"))
    assert group.client_of(group.master()).exists(KEYS.batch("a"))
    await asyncio.gather(*(store.ping() for _ in range(4 * _CONNECTIONS)))
    clients = group.client_of(group.master()).client_list(_type="normal")
    ours = [client for client in clients if not client["name"].startswith("sentinel")]
    assert _CONNECTIONS <= len(ours) <= _CONNECTIONS + 3


async def test_a_sentinel_that_is_away_is_passed_over(group: SentinelGroup) -> None:
    store = store_at(group.url.replace("127.0.0.1:", "127.0.0.1:1,127.0.0.1:", 1))
    await store.ping()
    await store.aclose()


@pytest.mark.parametrize(
    ("right", "wrong", "sentence"),
    [
        (f"/{MASTER}/", "/other/", "names a master 'other' that works$"),
        (f"sentinel_password={SENTINEL_PASSWORD}", "sentinel_password=wrong", "and one refuses our login$"),
        (f":{PASSWORD}@", ":wrong@", "Redis refuses our login"),
    ],
)
async def test_what_is_wrong_is_said_without_a_password(
    group: SentinelGroup, right: str, wrong: str, sentence: str
) -> None:
    store = store_at(group.url.replace(right, wrong))
    with pytest.raises(StoreUnavailable, match=sentence) as raised:
        await store.ping()
    assert PASSWORD not in str(raised.value)
    assert SENTINEL_PASSWORD not in str(raised.value)
    await store.aclose()


async def test_the_address_of_a_sentinel_is_not_taken_for_that_of_a_server(group: SentinelGroup) -> None:
    store = store_at(f"redis://:{SENTINEL_PASSWORD}@127.0.0.1:{group.sentinels[0].port}/0")
    for check in (store.check_kind, store.check_settings):
        with pytest.raises(WrongServer, match="redis\\+sentinel://"):
            await check()
    await store.aclose()


async def test_a_server_that_is_not_the_master_is_not_used_whoever_names_it(
    group: SentinelGroup, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Sentinel that is cut off from the others still names the old master, which answers reads with old data."""
    replica = group.replicas()[0]

    async def named(_: SentinelLocator) -> tuple[str, int]:
        return "127.0.0.1", replica.port

    monkeypatch.setattr(SentinelLocator, "locate", named)
    with pytest.raises(StoreUnavailable, match="not the master"):
        await store.ping()


async def test_store_and_queues_follow_to_the_new_master(group: SentinelGroup, store: Store) -> None:
    """Until there is one, each call fails as with any server that is away."""
    await store.batches.create(batch("before"))
    queues = Queues(group.url, next_database=True)
    waiter = queues.waiter("bulk")
    await anyio.to_thread.run_sync(queues.push, "bulk", [b"before"])
    assert await anyio.to_thread.run_sync(waiter.pop) == b"before"
    until(group.in_step)
    old = group.master()
    old.kill()
    errors = set[type]()
    for _ in range(100):
        try:
            assert await store.batches.create(batch("after")) in ("created", "repeat")
            break
        except StoreError as error:
            errors.add(type(error))
            await asyncio.sleep(0.05)
    assert errors <= {StoreUnavailable}
    assert await store.batches.overview("before") is not None
    assert await store.batches.overview("after") is not None
    await anyio.to_thread.run_sync(queues.push, "bulk", [b"after"])
    with suppress(StoreUnavailable):  # it may have waited on a connection to the old one
        assert await anyio.to_thread.run_sync(waiter.pop) == b"after"
        await anyio.to_thread.run_sync(queues.push, "bulk", [b"after"])
    assert await anyio.to_thread.run_sync(waiter.pop) == b"after"
    waiter.close()
    queues.close()
    group.restart(old)
    until(group.ready)
