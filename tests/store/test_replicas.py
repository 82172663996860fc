"""Writes that wait for a replica: a real one, which is frozen and thawed."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator

import pytest

from dispatcher.core.batch import Command, Definition
from dispatcher.core.policy.policy import Policy
from dispatcher.core.recovery.places import Place
from dispatcher.store.client import READS, WRITES
from dispatcher.store.dispatch import BeginAnswer, Candidate
from dispatcher.store.errors import StoreNotReplicated
from dispatcher.store.store import Store
from tests.store.fixture import KEYS, number, upload_chunk
from tests.store.replicas import Pair, open_pair

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
async def pair(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Pair]:
    async with open_pair(tmp_path_factory.mktemp("pair")) as pair:
        yield pair


@pytest.fixture
async def store(pair: Pair) -> AsyncIterator[Store]:
    """Of a web process, which waits for one replica."""
    await pair.at_master.flushall()
    store = Store(pair.master.url, Policy(), documents_max_bytes=1_000, wait_replicas=1, reads=READS, writes=WRITES)
    await store.rate_limiter.set_ceiling(100.0)
    store.workers.speak_as("worker", "first", lambda: 100)
    yield store
    os.kill(pair.replica.pid, signal.SIGCONT)
    await pair.in_step()
    await store.aclose()


def batch(name: str) -> Definition:
    return Definition(id=name, name=name, created_ms=1)


async def start(store: Store) -> None:
    await store.batches.create(batch("a"))
    await store.batches.add_chunk("a", upload_chunk([number(0)]))
    await store.batches.command("a", Command.START)


async def begin(store: Store) -> BeginAnswer:
    lease = await store.dispatch.claim("bulk", max_jobs=1, max_ahead=1, max_in_flight=1)
    assert lease is not None
    candidates = [Candidate(job=job, number_hash=str(job), number="") for job in lease.jobs]
    return await store.dispatch.begin(lease, candidates, max_in_flight=1)


async def waits(pair: Pair) -> int:
    """How often somebody has waited for a replica."""
    stats = await pair.at_master.info("commandstats")
    return int(stats.get("cmdstat_wait", {"calls": 0})["calls"])


async def test_a_replica_that_follows_has_what_was_accepted_and_begun(pair: Pair, store: Store) -> None:
    """At the moment of the answer, and not some time later."""
    await start(store)
    await store.documents.put(b"x", "x.pdf", 1)
    assert await pair.at_replica.hget(KEYS.batch("a"), "control") == b"running"
    assert await pair.at_replica.hlen(KEYS.documents) == 1
    assert (await begin(store)).replicated
    assert await pair.at_replica.zcard(KEYS.watch[Place.SENDING]) == 1
    assert not await store.lacks_replicas()


async def test_a_frozen_replica_has_accepted_work_refused_and_a_repeat_waits_again(pair: Pair, store: Store) -> None:
    """The master has it since the first call. Another process repeats it, whose connection has written nothing but the
    epoch, and WAIT knows only of what its own connection wrote."""
    os.kill(pair.replica.pid, signal.SIGSTOP)
    other = Store(pair.master.url, Policy(), documents_max_bytes=1_000, wait_replicas=1)
    for process in (store, other):
        with pytest.raises(StoreNotReplicated, match="fewer than 1 replica of"):
            await process.batches.create(batch("a"))
    await other.aclose()
    os.kill(pair.replica.pid, signal.SIGCONT)
    assert await store.batches.create(batch("a")) == "repeat", "it was there"
    assert await pair.at_replica.hget(KEYS.batch("a"), "control") == b"draft"


async def test_each_of_many_writes_waits_on_the_connection_that_wrote_it(pair: Pair, store: Store) -> None:
    """Their scripts and their waits go out in one pipeline each: a wait elsewhere would find nothing to wait for."""
    await store.batches.create(batch("first"))  # a script that the server does not know yet is sent, and waits, twice
    await asyncio.gather(*(store.ping() for _ in range(8)))
    before = await waits(pair)
    os.kill(pair.replica.pid, signal.SIGSTOP)
    calls = (store.batches.create(batch(f"b{number}")) for number in range(4))
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [StoreNotReplicated] * 4
    assert await waits(pair) == before + 4


async def test_a_begin_that_no_replica_has_in_time_says_so(pair: Pair, store: Store) -> None:
    await start(store)
    os.kill(pair.replica.pid, signal.SIGSTOP)
    answer = await begin(store)
    assert [begun.word for begun in answer.jobs] == ["go"]
    assert not answer.replicated


async def test_replicas_that_are_not_there_are_missed(pair: Pair) -> None:
    store = Store(pair.master.url, Policy(), documents_max_bytes=1_000, wait_replicas=2)
    assert await store.lacks_replicas()
    await store.aclose()
