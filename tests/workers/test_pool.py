"""The pool: each queue has its own threads, and waiting threads sleep."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import cast

import dramatiq
import pytest
from structlog.testing import capture_logs

from dispatcher.runtime import Runtime
from dispatcher.service.errors import StoreUnavailable
from dispatcher.store import queues as queues_module
from dispatcher.store.queues import Queues
from tests.local.watching import until
from workers.actors import declare
from workers.broker import QueueBroker, make_broker
from workers.pool import Pool, run_actors_here, threads_by_queue


@pytest.fixture
def broker(queues: Queues) -> QueueBroker:
    return make_broker(queues)


@contextmanager
def running(broker: QueueBroker, **threads: int) -> Iterator[Pool]:
    pool = Pool(broker, threads)
    pool.start()
    try:
        yield pool
    finally:
        pool.stop()


def actor(broker: QueueBroker, queue: str, work: Callable[[], object]) -> "dramatiq.Actor[[], object]":
    def run() -> None:
        work()

    return dramatiq.actor(broker=broker, queue_name=queue, actor_name=f"work_in_{queue}")(run)


def idle(queues: Queues, queue: str) -> Callable[[], bool]:
    return lambda: queues.lengths([queue])[queue] == 0


def test_a_message_is_worked_on_as_soon_as_it_is_sent(broker: QueueBroker) -> None:
    done = threading.Event()
    work = actor(broker, "bulk", done.set)
    with running(broker, bulk=1):
        work.send()
        assert done.wait(queues_module.BLOCK_S / 2), "the message was noticed by polling, not by a wake-up"


def test_urgent_work_does_not_wait_while_all_reads_wait_for_permits(broker: QueueBroker, queues: Queues) -> None:
    permit, urgent = threading.Event(), threading.Event()
    reconcile = actor(broker, "lookups", lambda: permit.wait(20))
    submit = actor(broker, "urgent", urgent.set)
    with running(broker, lookups=2, urgent=1):
        for _ in range(6):
            reconcile.send()
        until(lambda: queues.lengths(["lookups"])["lookups"] == 4)
        submit.send()
        assert urgent.wait(2)
        permit.set()
        until(idle(queues, "lookups"))


def test_no_more_messages_are_taken_than_there_are_threads(broker: QueueBroker, queues: Queues) -> None:
    release, started = threading.Event(), threading.Semaphore(0)

    def work() -> None:
        started.release()
        release.wait(20)

    slow = actor(broker, "bulk", work)
    with running(broker, bulk=2):
        for _ in range(5):
            slow.send()
        assert started.acquire(timeout=5)
        assert started.acquire(timeout=5)
        assert not started.acquire(timeout=0.1)
        assert queues.lengths(["bulk"])["bulk"] == 3
        release.set()
        until(idle(queues, "bulk"))


def test_a_waiting_pool_stops_at_once_and_loses_no_message(broker: QueueBroker, queues: Queues) -> None:
    work = actor(broker, "bulk", lambda: None)
    pool = Pool(broker, {"bulk": 2, "urgent": 1, "lookups": 1})
    pool.start()
    stopping = threading.Thread(target=pool.stop)
    stopping.start()
    stopping.join(queues_module.BLOCK_S / 2)
    assert not stopping.is_alive()
    work.send()
    assert queues.lengths(["bulk"])["bulk"] == 1


@pytest.mark.anyio
async def test_async_actors_run_on_the_loop_of_the_process(broker: QueueBroker) -> None:
    ran_on: asyncio.Future[asyncio.AbstractEventLoop] = asyncio.get_running_loop().create_future()

    async def work() -> None:
        ran_on.set_result(asyncio.get_running_loop())

    send = dramatiq.actor(broker=broker, queue_name="bulk")(work).send
    run_actors_here()
    pool = Pool(broker, {"bulk": 1})
    pool.start()
    send()
    async with asyncio.timeout(5):
        assert await ran_on is asyncio.get_running_loop()
    await asyncio.to_thread(pool.stop)


def test_work_that_finds_the_store_unavailable_logs_one_line(
    broker: QueueBroker, caplog: pytest.LogCaptureFixture
) -> None:
    """dramatiq alone would log a stack trace for each of them."""

    def work() -> None:
        raise StoreUnavailable("Redis does not answer")

    send = dramatiq.actor(broker=broker, queue_name="bulk", throws=StoreUnavailable)(work).send
    with capture_logs() as log_lines, running(broker, bulk=1):
        send()
        until(lambda: any("done later" in line["event"] for line in log_lines))
    assert [line["actor"] for line in log_lines if "actor" in line] == ["work"]
    assert "unhandled exception" not in caplog.text


@pytest.mark.parametrize("message", [b"5d0f1c6e", b'{"queue_name": "bulk"}', b"\xff"])
def test_an_unreadable_message_is_dropped(broker: QueueBroker, queues: Queues, message: bytes) -> None:
    done = threading.Event()
    work = actor(broker, "bulk", done.set)
    with capture_logs() as log_lines, running(broker, bulk=1):
        queues.push("bulk", [message])
        work.send()
        assert done.wait(5)
    assert [line["queue"] for line in log_lines if "cannot be read" in line["event"]] == ["bulk"]


def test_a_message_is_never_delayed(broker: QueueBroker) -> None:
    work = actor(broker, "bulk", lambda: None)
    with pytest.raises(ValueError, match="never delayed"):
        work.send_with_options(delay=1000)


def test_every_kind_of_work_has_a_queue_and_threads_of_its_own(broker: QueueBroker) -> None:
    actors = declare(broker, cast(Runtime, None))
    queues = [getattr(actors, name).queue_name for name in actors.__slots__]
    assert len(set(queues)) == len(queues)
    assert set(queues) == set(threads_by_queue(24))
