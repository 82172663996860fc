"""Queues to the workers: in order, bounded, each message for one waiter, and no message lost to a waiter that stops."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis

from dispatcher.local.ports import free_port
from dispatcher.runtime import make_queues
from dispatcher.settings import Settings
from dispatcher.store import queues as queues_module
from dispatcher.store.errors import StoreUnavailable
from dispatcher.store.queues import MAX_MESSAGES, Queues, Waiter
from tests.local.watching import until
from tests.store.fixture import KEYS


@pytest.fixture
def queues(redis_url: str) -> Iterator[Queues]:
    opened = Queues(redis_url)
    yield opened
    opened.close()


@pytest.fixture
def waiter(queues: Queues) -> Iterator[Waiter]:
    opened = queues.waiter("bulk")
    yield opened
    opened.close()


def test_messages_come_in_their_order_and_those_put_back_come_first(queues: Queues, waiter: Waiter) -> None:
    queues.push("bulk", [b"3", b"4"])
    queues.push_front("bulk", [b"1", b"2"])
    queues.push("urgent", [b"5"])
    assert queues.lengths(["bulk", "urgent", "callbacks"]) == {"bulk": 4, "urgent": 1, "callbacks": 0}
    assert [waiter.pop() for _ in range(4)] == [b"1", b"2", b"3", b"4"]


def test_of_messages_that_nobody_takes_the_oldest_are_dropped(queues: Queues, waiter: Waiter) -> None:
    for start in range(0, MAX_MESSAGES + 100, 100):
        queues.push("bulk", [b"%d" % number for number in range(start, start + 100)])
    assert queues.lengths(["bulk"])["bulk"] == MAX_MESSAGES
    assert waiter.pop() == b"100"


def test_each_message_is_for_one_waiter(queues: Queues) -> None:
    waiters = [queues.waiter("bulk") for _ in range(3)]
    with ThreadPoolExecutor() as threads:
        popped = [threads.submit(waiter.pop) for waiter in waiters]
        queues.push("bulk", [b"1", b"2", b"3"])
        assert {future.result() for future in popped} == {b"1", b"2", b"3"}
    for waiter in waiters:
        waiter.close()


def test_an_interrupted_waiter_returns_at_once_and_takes_nothing_more(queues: Queues, waiter: Waiter) -> None:
    with ThreadPoolExecutor() as threads:
        popped = threads.submit(waiter.pop)
        interrupted = threading.Event()
        while not popped.done():
            waiter.interrupt()
            interrupted.wait(0.01)
        assert popped.result() is None
    queues.push("bulk", [b"1"])
    assert waiter.pop() is None
    assert queues.lengths(["bulk"])["bulk"] == 1


def test_a_waiter_connects_anew_after_its_connection_was_cut(queues: Queues, waiter: Waiter, redis_url: str) -> None:
    with ThreadPoolExecutor() as threads, redis.Redis.from_url(redis_url) as operator:
        popped = threads.submit(waiter.pop)
        until(lambda: operator.info("clients")["blocked_clients"])
        operator.client_kill_filter(_type="normal", skipme=True)
        with pytest.raises(StoreUnavailable):
            popped.result()
        queues.push("bulk", [b"1"])
        assert waiter.pop() == b"1"


def test_nothing_comes_for_a_while(waiter: Waiter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queues_module, "BLOCK_S", 0.01)
    assert waiter.pop() is None


def test_a_server_that_is_away_is_an_error_of_ours() -> None:
    away = Queues(f"redis://127.0.0.1:{free_port()}/0")
    for ask in (lambda: away.push("bulk", [b"1"]), away.waiter("bulk").pop):
        with pytest.raises(StoreUnavailable):
            ask()


@pytest.mark.parametrize(("broker", "database"), [("", 1), ("{url}/5", 5)])
def test_queues_have_a_database_of_their_own(redis_url: str, broker: str, database: int) -> None:
    server = redis_url.rpartition("/")[0]
    settings = Settings(redis_url=f"{server}/0", broker_url=broker.format(url=server))
    queues = make_queues(settings)
    queues.push("test_database", [b"1"])
    with redis.Redis.from_url(server, db=database) as client:
        assert client.unlink(KEYS.queue("test_database")) == 1
    queues.close()
