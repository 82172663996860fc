"""What the store says when Redis is away, full, read-only or set up to lose data, and how it goes on afterwards."""

import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path

import anyio.to_thread
import pytest
import redis
from structlog.testing import capture_logs

from dispatcher.core.batch import Command, Definition
from dispatcher.core.durability import Answer, Durability
from dispatcher.core.job import JobId
from dispatcher.core.policy.policy import Policy
from dispatcher.local.errors import ServerNotStarted
from dispatcher.local.redis_server import EmbeddedServer
from dispatcher.runtime import prepare_account
from dispatcher.settings import Settings
from dispatcher.store import client
from dispatcher.store.errors import StoreFull, StoreRefuses, StoreUnavailable, StoreUnsafe
from dispatcher.store.store import Store
from tests.store.fixture import number, upload_chunk

pytestmark = pytest.mark.anyio

#: bytes
DOCUMENTS_MAX = 1000


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedServer]:
    """A server of the test's own, to be stopped and set up badly."""
    server = EmbeddedServer(tmp_path)
    try:
        server.start()
    except ServerNotStarted as error:
        pytest.skip(str(error))
    with server:
        yield server


@pytest.fixture
async def store(server: EmbeddedServer) -> AsyncIterator[Store]:
    store = Store(server.url, Policy(), documents_max_bytes=DOCUMENTS_MAX)
    await store.rate_limiter.set_ceiling(100.0)
    store.workers.speak_as("worker", "first", lambda: 100)
    yield store
    await store.aclose()


def configure(server: EmbeddedServer, name: str, value: str) -> None:
    with redis.Redis.from_url(server.url) as asking:
        asking.config_set(name, value)


def _as_user(server: EmbeddedServer, user: str) -> str:
    """Return the server's address with another name and password."""
    return f"redis://{user}@{server.url.partition('@')[2]}"


def wait_for_end(server: EmbeddedServer) -> None:
    while server.running:
        time.sleep(0.01)


async def test_a_denied_command_does_not_make_jobs_unreadable(server: EmbeddedServer, store: Store) -> None:
    """Else every job that is about to be sent would be held as damaged, until people release one after another."""
    await add_batch(store)
    with redis.Redis.from_url(server.url) as operator:
        operator.execute_command("ACL", "SETUSER", "default", "-hget")
    with pytest.raises(StoreUnavailable, match="hget"):
        await store.dispatch.stored([JobId("a", 0)])


async def add_batch(store: Store, name: str = "a") -> None:
    await store.batches.create(Definition(id=name, name=name, created_ms=1))
    await store.batches.add_chunk(name, upload_chunk([number(0), number(1)]))
    await store.batches.command(name, Command.START)


async def test_a_stopped_server_is_unavailable_for_every_part_of_the_store(
    server: EmbeddedServer, store: Store
) -> None:
    await store.ping()
    server.stop()
    asked = (store.ping, partial(store.batches.overview, "a"), store.holds.all, store.inbox.depth, store.clock.ask)
    for ask in asked:
        with pytest.raises(StoreUnavailable, match="Redis does not answer"):
            await ask()
    with pytest.raises(StoreUnavailable):
        await store.dispatch.claim("bulk", max_jobs=1, max_ahead=1, max_in_flight=1)


async def test_a_server_that_was_restarted_is_used_again_with_all_it_had(server: EmbeddedServer, store: Store) -> None:
    """It has forgotten the scripts; they are loaded again."""
    await add_batch(store)
    server.stop()
    server.start()
    lease = await store.dispatch.claim("bulk", max_jobs=10, max_ahead=10, max_in_flight=10)
    assert lease is not None
    assert len(lease.jobs) == 2


async def test_scripts_that_the_server_forgot_are_loaded_again(server: EmbeddedServer, store: Store) -> None:
    await add_batch(store)
    with redis.Redis.from_url(server.url) as asking:
        asking.script_flush()
    assert await store.dispatch.claim("bulk", max_jobs=10, max_ahead=10, max_in_flight=10) is not None


async def test_a_killed_server_has_what_it_acknowledged(server: EmbeddedServer, store: Store) -> None:
    await add_batch(store)
    os.kill(server.pid, signal.SIGKILL)
    await anyio.to_thread.run_sync(wait_for_end, server)
    server.start()
    overview = await store.batches.overview("a")
    assert overview is not None
    assert overview.rows == 2


async def test_a_full_server_takes_nothing_new_and_still_answers_questions(
    server: EmbeddedServer, store: Store
) -> None:
    """Commands and scripts alike. What it has accepted goes on: a script that has moved a job may finish the move."""
    await add_batch(store)
    configure(server, "maxmemory", "1mb")
    for call in (
        store.check_writable,
        partial(store.holds.open, "account", "funds", "why"),
        partial(store.inbox.add, [b"{}"]),
        partial(add_batch, store, "b"),
    ):
        with pytest.raises(StoreRefuses, match="Redis takes no writes"):
            await call()
    assert await store.batches.overview("a") is not None
    assert await store.dispatch.claim("bulk", max_jobs=1, max_ahead=1, max_in_flight=1) is not None
    configure(server, "maxmemory", "0")
    await store.check_writable()
    assert await store.holds.open("account", "funds", "why")


async def test_a_read_only_server_refuses_and_still_answers_questions(server: EmbeddedServer, store: Store) -> None:
    """That is what a replica is after a failover, for commands and scripts alike."""
    await add_batch(store)
    with redis.Redis.from_url(server.url) as asking:
        asking.replicaof("127.0.0.1", "1")
        for call in (
            store.check_writable,
            partial(store.dispatch.claim, "bulk", max_jobs=1, max_ahead=1, max_in_flight=1),
        ):
            with pytest.raises(StoreRefuses, match="Redis takes no writes"):
                await call()
        asking.replicaof("NO", "ONE")
    await store.check_writable()


async def test_settings_that_lose_data_are_named_with_what_they_must_be(server: EmbeddedServer, store: Store) -> None:
    await store.check_settings()
    configure(server, "appendfsync", "everysec")
    with pytest.raises(StoreUnsafe, match=r"appendfsync is everysec, must be always\..*BULKFAX_ALLOW_UNSAFE_REDIS"):
        await store.check_settings()
    configure(server, "maxmemory-policy", "allkeys-lru")
    with pytest.raises(StoreUnsafe, match="maxmemory-policy is allkeys-lru, must be noeviction") as raised:
        await store.check_settings()
    assert "BULKFAX_ALLOW_UNSAFE_REDIS" not in str(raised.value), "it would not help"


async def test_a_server_that_hides_its_configuration_is_judged_by_what_it_still_says(server: EmbeddedServer) -> None:
    """Managed servers let nobody ask for CONFIG. INFO does not say how often the file is synced, and says the rest."""
    with redis.Redis.from_url(server.url) as asking:
        asking.acl_setuser("guest", enabled=True, passwords=["+secret"], categories=["+@all"], keys=["*"])
        asking.execute_command("ACL", "SETUSER", "guest", "-config")
    store = Store(_as_user(server, "guest:secret"), Policy(), documents_max_bytes=DOCUMENTS_MAX)
    assert (await store.check_settings()).answer is Answer.UNVERIFIED
    configure(server, "maxmemory-policy", "allkeys-lru")
    with pytest.raises(StoreUnsafe, match="maxmemory-policy is allkeys-lru, must be noeviction"):
        await store.check_settings()
    with redis.Redis.from_url(server.url) as asking:
        asking.execute_command("ACL", "SETUSER", "guest", "-info")
    judgement = await store.check_settings()
    assert judgement.answer is Answer.UNVERIFIED
    assert len(judgement.unknown) == 4
    with capture_logs() as log_lines:
        await prepare_account(Settings(), store)
    assert [(line["event"], line["durability"]) for line in log_lines] == [("Redis may lose data", "unverified")]
    await store.aclose()


async def test_a_server_that_is_as_durable_as_the_settings_ask_is_accepted(server: EmbeddedServer) -> None:
    configure(server, "appendfsync", "everysec")
    store = Store(server.url, Policy(), documents_max_bytes=DOCUMENTS_MAX, durability=Durability.EVERYSEC)
    assert (await store.check_settings()).answer is Answer.SAFE
    configure(server, "appendonly", "no")
    with pytest.raises(StoreUnsafe, match="appendonly is no, must be yes"):
        await store.check_settings()
    await store.aclose()


async def test_who_tries_things_out_accepts_any_server_but_one_that_evicts(server: EmbeddedServer) -> None:
    configure(server, "appendonly", "no")
    store = Store(server.url, Policy(), documents_max_bytes=DOCUMENTS_MAX, durability=None)
    assert (await store.check_settings()).answer is Answer.UNSAFE
    configure(server, "maxmemory-policy", "volatile-ttl")
    with pytest.raises(StoreUnsafe, match="volatile-ttl"):
        await store.check_settings()
    await store.aclose()


async def test_a_wrong_password_is_no_stack_trace(server: EmbeddedServer) -> None:
    store = Store(_as_user(server, "nobody:wrong"), Policy(), documents_max_bytes=DOCUMENTS_MAX)
    with pytest.raises(StoreUnavailable, match="Redis refuses our login"):
        await store.ping()
    await store.aclose()


def test_an_address_that_cannot_be_read_is_told_at_once() -> None:
    with pytest.raises(ValueError, match="redis://"):
        Store("http://127.0.0.1:6379", Policy(), documents_max_bytes=DOCUMENTS_MAX)


async def test_documents_beyond_the_cap_are_refused_with_its_name(store: Store) -> None:
    await store.documents.put(b"x" * 600, "a.pdf", 1)
    with pytest.raises(StoreFull, match="BULKFAX_DOCUMENTS_MAX_BYTES"):
        await store.documents.put(b"y" * 401, "b.pdf", 1)
    assert (await store.documents.put(b"x" * 600, "again.pdf", 1)).name == "a.pdf"
    await store.documents.put(b"y" * 400, "b.pdf", 1)


def longest_s(patience: client.Patience) -> float:
    """All tries of a command and the pauses between them."""
    pause_s = min(client._RETRY_CAP_S, patience.timeout_s / 4)
    return (patience.retries + 1) * patience.timeout_s + patience.retries * pause_s


def test_the_client_gives_up_before_a_lease_ends() -> None:
    """All its tries and pauses, and the POST's total time after them, fit into the default lease."""
    policy = Policy()
    assert longest_s(client.PATIENT) + policy.send_window_s + policy.post_total_s < policy.lease_s


def test_whoever_answers_people_gives_up_in_time() -> None:
    """A read that hangs is not repeated."""
    assert not client.READS.repeat_unanswered
    assert client.READS.timeout_s < 1
    assert longest_s(client.WRITES) < 3
