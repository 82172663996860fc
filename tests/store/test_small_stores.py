"""Inbox, documents, things kept, totals, clock."""

from collections.abc import AsyncIterator
from itertools import count

import pytest
import redis.asyncio as aioredis

from dispatcher.core.names import KeyUse
from dispatcher.core.policy.policy import Policy
from dispatcher.store import inbox
from dispatcher.store.documents import CHUNK
from dispatcher.store.metric_totals import field
from dispatcher.store.store import Store
from tests.store.fixture import KEYS, dump
from tests.store.lossy_proxy import LossyProxy

pytestmark = pytest.mark.anyio

MAX_BYTES = 10_000_000


@pytest.fixture
async def store(redis_url: str) -> AsyncIterator[Store]:
    store = Store(redis_url, Policy(), documents_max_bytes=MAX_BYTES)
    yield store
    await store.aclose()


async def test_events_are_taken_in_the_order_in_which_they_came(store: Store) -> None:
    for index in range(5):
        await store.inbox.add([b"%d" % index])
    taken = (await store.inbox.take("w1", max_events=3, idle_ms=60_000)).entries
    assert [event for _, event in taken] == [b"0", b"1", b"2"]
    assert await store.inbox.depth() == 5


async def test_two_consumers_never_take_the_same_event(store: Store) -> None:
    for index in range(4):
        await store.inbox.add([b"%d" % index])
    first = (await store.inbox.take("w1", max_events=2, idle_ms=60_000)).entries
    second = (await store.inbox.take("w2", max_events=10, idle_ms=60_000)).entries
    assert [event for _, event in (*first, *second)] == [b"0", b"1", b"2", b"3"]


async def test_an_event_that_a_worker_left_lying_is_taken_by_another(store: Store) -> None:
    """It comes before new ones."""
    await store.inbox.add([b"left"])
    await store.inbox.take("killed", max_events=1, idle_ms=60_000)
    await store.inbox.add([b"new"])
    taken = (await store.inbox.take("w2", max_events=10, idle_ms=0)).entries
    assert [event for _, event in taken] == [b"left", b"new"]


async def test_how_often_an_event_was_taken_is_asked_only_of_those_that_were_left(store: Store) -> None:
    def asked(stats: dict[str, dict[str, int]]) -> int:
        return stats.get("cmdstat_xpending", {}).get("calls", 0)

    before = asked(await store._client.info("commandstats"))
    await store.inbox.add([b"left", b"also"])
    first = await store.inbox.take("w1", max_events=10, idle_ms=60_000)
    assert (len(first.entries), first.times) == (2, {})
    assert asked(await store._client.info("commandstats")) == before
    await store.inbox.add([b"new"])
    for times in (2, 3):
        again = await store.inbox.take("w2", max_events=10, idle_ms=0)
        left = {entry_id for entry_id, _ in first.entries}
        assert {entry_id: again.times[entry_id] for entry_id in left} == dict.fromkeys(left, times)


async def test_an_event_that_was_settled_is_gone_for_good(store: Store) -> None:
    await store.inbox.add([b"one"])
    (entry,) = (await store.inbox.take("w1", max_events=10, idle_ms=60_000)).entries
    await store.inbox.done([entry])
    await store.inbox.done([entry])
    await store.inbox.done([])
    assert await store.inbox.depth() == 0
    assert not (await store.inbox.take("w2", max_events=10, idle_ms=0)).entries


async def consumers(redis_url: str) -> list[bytes]:
    async with aioredis.Redis.from_url(redis_url) as client:
        return [each["name"] for each in await client.xinfo_consumers(KEYS.inbox, "settle")]


async def live_once(redis_url: str, consumer: str) -> None:
    """A process that starts, settles an event and ends."""
    process = Store(redis_url, Policy(), documents_max_bytes=MAX_BYTES)
    await process.inbox.add([b"settled"])
    taken = (await process.inbox.take(consumer, max_events=10, idle_ms=60_000)).entries
    await process.inbox.done(taken)
    await process.aclose()


async def test_a_process_that_starts_removes_the_consumers_of_those_that_ended(
    store: Store, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two hundred restarts leave no two hundred consumers; one that ended with an event keeps it for the others."""
    await store.inbox.add([b"left"])
    await store.inbox.take("killed", max_events=1, idle_ms=60_000)
    for restart in range(3):
        await live_once(redis_url, f"w{restart}")
    assert await consumers(redis_url) == [b"killed", b"w0", b"w1", b"w2"]
    monkeypatch.setattr(inbox, "_ENDED_MS", 0)
    for restart in range(3, 6):
        await live_once(redis_url, f"w{restart}")
    assert await consumers(redis_url) == [b"killed", b"w5"]
    assert [event for _, event in (await store.inbox.take("w0", max_events=2, idle_ms=0)).entries] == [b"left"]


async def test_an_empty_inbox_gives_nothing(store: Store) -> None:
    assert await store.inbox.depth() == 0
    assert not (await store.inbox.take("w1", max_events=10, idle_ms=0)).entries


@pytest.mark.parametrize("size", [1, CHUNK, CHUNK + 1, 3 * CHUNK])
async def test_a_document_comes_back_as_it_was(store: Store, size: int) -> None:
    content = bytes(index % 251 for index in range(size))
    info = await store.documents.put(content, "letter.pdf", 2)
    assert await store.documents.content(info.sha256) == content
    assert b"".join([chunk async for chunk in store.documents.chunks(info.sha256)]) == content
    assert await store.documents.info(info.sha256) == info
    assert (info.size, info.pages, info.name) == (size, 2, "letter.pdf")


async def test_a_document_that_is_not_there_is_nothing(store: Store) -> None:
    assert await store.documents.info("0" * 64) is None
    assert await store.documents.content("0" * 64) is None
    assert [chunk async for chunk in store.documents.chunks("0" * 64)] == []


async def test_a_document_is_stored_once_although_every_answer_was_lost_once(redis_url: str, store: Store) -> None:
    answers = count(1)
    async with LossyProxy(redis_url, lose=lambda: next(answers) % 7 == 0) as proxy:
        behind = Store(proxy.url, Policy(), documents_max_bytes=MAX_BYTES)
        info = await behind.documents.put(b"x" * 5000, "letter.pdf", 1)
        await behind.aclose()
        assert proxy.lost
    raw = await dump(store._client)
    assert raw[KEYS.documents] == {info.sha256.encode(): b"5000"}
    assert raw[KEYS.chunks(info.sha256)] == [b"x" * 5000]


async def test_the_first_caller_with_a_key_decides_what_it_means(store: Store) -> None:
    first = await store.idempotency_keys.reserve(KeyUse.BATCH, "k", fingerprint="print", value="b1")
    again = await store.idempotency_keys.reserve(KeyUse.BATCH, "k", fingerprint="other print", value="b2")
    assert (first.value, first.fingerprint) == ("b1", "print")
    assert (again.value, again.fingerprint) == ("b1", "print")
    other = await store.idempotency_keys.reserve(KeyUse.FAX, "k", fingerprint="print", value="b3")
    assert other.value == "b3"


async def test_a_key_is_remembered_for_seven_days_after_its_last_use(store: Store) -> None:
    await store.idempotency_keys.reserve(KeyUse.BATCH, "k", fingerprint="print", value="b1")
    (name,) = [name async for name in store._client.scan_iter(KEYS.reservation("*", "*"))]
    assert 7 * 86_400 - 60 < await store._client.ttl(name) <= 7 * 86_400
    await store._client.expire(name, 60)
    await store.idempotency_keys.reserve(KeyUse.BATCH, "k", fingerprint="print", value="b1")
    assert 7 * 86_400 - 60 < await store._client.ttl(name) <= 7 * 86_400


async def test_a_secret_is_made_once(store: Store) -> None:
    assert await store.secrets.number_key() == await store.secrets.number_key()
    assert len(await store.secrets.number_key()) == 64
    assert await store.secrets.number_key() != (await store.secrets.callback_keys([]))[0]


async def test_configured_callback_keys_stand_above_the_one_that_is_kept(store: Store) -> None:
    assert await store.secrets.callback_keys(["new", "old"]) == [b"new", b"old"]
    assert await store.secrets.callback_keys([]) == [await store._client.hget(KEYS.secrets, "callback")]


async def test_totals_add_up_by_name_and_labels(store: Store) -> None:
    await store.metric_totals.count("callbacks", ("forged",))
    await store.metric_totals.count("callbacks", ("forged",), by=2)
    await store.metric_totals.count("doubled")
    assert await store.metric_totals.all() == {("callbacks", "forged"): 3, ("doubled",): 1}
    assert field("callbacks", "forged") == "callbacks|forged"


async def test_the_clock_counts_on_between_two_questions_and_asks_again_after_a_while(redis_url: str) -> None:
    steady_s = 1000.0
    store = Store(redis_url, Policy(), documents_max_bytes=1, steady=lambda: steady_s)
    first = await store.clock.now_ms()
    steady_s += 4.0
    assert await store.clock.now_ms() == first + 4000
    steady_s += 2.0
    assert 0 <= await store.clock.now_ms() - first < 4000
    await store.aclose()
