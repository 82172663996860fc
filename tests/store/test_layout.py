"""The number of the layout: written into an empty database, and whoever does not know it stops."""

import re
from collections.abc import AsyncIterator

import pytest

from dispatcher.core.policy.policy import Policy
from dispatcher.store import keys
from dispatcher.store.errors import UnknownLayout
from dispatcher.store.layout import LAYOUT
from dispatcher.store.store import Store
from tests.store.fixture import KEYS, StoreFixture, dump

pytestmark = pytest.mark.anyio


@pytest.fixture
async def store(db: StoreFixture, redis_url: str) -> AsyncIterator[Store]:
    await db.client.flushdb()
    store = Store(redis_url, Policy(), documents_max_bytes=1)
    yield store
    await store.aclose()


async def test_the_number_is_written_into_an_empty_database_and_known_from_then_on(
    db: StoreFixture, store: Store
) -> None:
    await store.layout.establish()
    assert await dump(db.client) == {KEYS.layout: str(LAYOUT).encode()}
    await store.layout.establish()
    await store.layout.check()


async def test_whoever_only_reads_writes_no_number(db: StoreFixture, store: Store) -> None:
    await store.layout.check()
    assert await dump(db.client) == {}


@pytest.mark.parametrize("number", [str(LAYOUT + 1), "", "two"])
async def test_a_number_that_is_not_known_stops_the_process(db: StoreFixture, store: Store, number: str) -> None:
    await db.client.set(KEYS.layout, number)
    for call in (store.layout.check, store.layout.establish):
        with pytest.raises(
            UnknownLayout, match=rf"of layout {number}, .* knows layout {LAYOUT} only. Start the version"
        ):
            await call()
    assert await db.client.get(KEYS.layout) == number.encode()


async def test_keys_that_name_no_account_are_recognized_as_older(db: StoreFixture, store: Store) -> None:
    await db.client.zadd("bf:batches", {"a": 1})
    for call in (store.layout.check, store.layout.establish):
        with pytest.raises(
            UnknownLayout, match=r"an older version of bulkfax, whose keys name no account. Finish its batches with"
        ):
            await call()
    assert list(await dump(db.client)) == ["bf:batches"]


def test_the_types_of_the_accounts_keys_are_those_of_the_table() -> None:
    table = (keys.__doc__ or "").split("In the broker's database")[0]
    rows = re.findall(r"^([a-z_:]+) +(string|hash|list|set|zset|stream) ", table, re.MULTILINE)
    types = {name: kind for name, kind in keys.ACCOUNT_TYPES.items() if not name.startswith("active:")}
    assert types == dict(rows)
    assert keys.ACCOUNT_TYPES.keys() >= keys.SENDING_KEYS
