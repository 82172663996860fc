"""When a scheduler may sleep, and what wakes it. Random histories (``walk.py``) see that scripts wake it in time."""

import asyncio
import time
from dataclasses import replace

import pytest

from dispatcher.core.batch import Command, Priority
from dispatcher.core.job import State
from dispatcher.store.dispatch import StoredTransition
from dispatcher.store.inbox import Inbox
from dispatcher.store.protocol import LONGEST_SLEEP_S
from dispatcher.store.wakes import NextDue
from tests.store.fixture import KEYS, StoreFixture, number

pytestmark = pytest.mark.anyio


async def woken(db: StoreFixture, *, schedulers: int = 1) -> list[bool]:
    """Who of those that sleep now is woken at once."""
    began_s = time.monotonic()
    answers = await asyncio.gather(*(db.wakes.wait(LONGEST_SLEEP_S) for _ in range(schedulers)))
    return [answer and time.monotonic() < began_s + LONGEST_SLEEP_S for answer in answers]


async def asleep(db: StoreFixture, schedulers: int) -> "list[asyncio.Task[bool]]":
    """Schedulers that wait on the server."""
    sleepers = [asyncio.create_task(db.wakes.wait(LONGEST_SLEEP_S)) for _ in range(schedulers)]
    while (await db.client.info("clients"))["blocked_clients"] < schedulers:  # noqa: ASYNC110  # the server says it
        await asyncio.sleep(0)
    return sleepers


async def test_nothing_is_due_in_an_empty_store(db: StoreFixture) -> None:
    assert await db.wakes.next_due() == NextDue(in_s=None, leased=0)


async def test_a_start_wakes_two_schedulers_and_leaves_no_word_behind(db: StoreFixture) -> None:
    await db.draft("a", [number(0)], priority=Priority.URGENT)
    await db.client.delete(KEYS.wake)
    sleepers = await asleep(db, 2)
    await db.batches.command("a", Command.START)
    assert [await sleeper for sleeper in sleepers] == [True, True]
    assert not await db.client.exists(KEYS.wake)


async def test_one_scheduler_is_woken_once(db: StoreFixture) -> None:
    await db.client.delete(KEYS.wake)
    sleeper = (await asleep(db, 1))[0]
    await db.wakes.wake()
    assert await sleeper
    assert not await db.wakes.wait(0.01)


async def test_words_that_nobody_reads_do_not_grow(db: StoreFixture) -> None:
    for _ in range(5):
        await db.wakes.wake()
    assert await db.client.llen(KEYS.wake) == 4


async def test_a_later_start_and_a_deadline_are_known(db: StoreFixture) -> None:
    await db.draft("a", [number(0)], start_at_ms=db.ms + 5_000, deadline_ms=db.ms + 60_000)
    await db.batches.command("a", Command.START)
    assert await db.wakes.next_due() == NextDue(in_s=5.0, leased=0)
    await db.batches.command("a", Command.PAUSE)
    assert await db.wakes.next_due() == NextDue(in_s=60.0, leased=0)


async def test_work_that_may_be_leased_is_due_now_and_a_lease_when_it_ends(db: StoreFixture) -> None:
    await db.running("a", 3)
    assert (await db.wakes.next_due()).in_s == 0
    await db.leased("bulk", 3)
    assert (await db.wakes.next_due()).leased == 3


@pytest.mark.parametrize(("probes_s", "in_s"), [((7.0,), 7.0), ((), None)])
async def test_work_of_a_held_account_is_due_at_the_next_probe(
    db: StoreFixture, probes_s: tuple[float, ...], in_s: float | None
) -> None:
    """One that is released by hand has none: the release wakes."""
    await db.running("a", 3)
    await db.holds.open("account", "funds", "no money", probes_s=probes_s)
    assert (await db.wakes.next_due()).in_s == in_s
    await db.client.delete(KEYS.wake)
    await db.holds.release("account")
    assert await woken(db) == [True]


async def test_a_pause_that_the_provider_asked_for_is_slept_through(db: StoreFixture) -> None:
    await db.running("a", 3)
    await db.limiter.slow_down(0, 12.0, 0.0)
    assert (await db.wakes.next_due()).in_s == 12.0


async def test_the_first_event_of_an_empty_inbox_wakes_and_is_due(db: StoreFixture) -> None:
    inbox = Inbox(db.client, db.scripts)
    assert len(await inbox.add([b"{}", b"{}"])) == 2
    assert await woken(db) == [True]
    assert (await db.wakes.next_due()).in_s == 0
    await inbox.add([b"{}"])
    assert not await db.client.exists(KEYS.wake), "who looks already is not woken"


async def test_while_a_step_of_the_clock_is_waited_out_nobody_looks_for_what_was_sent(db: StoreFixture) -> None:
    await db.running("a", 1)
    await db.sending("bulk", 1)
    assert await db.claim() is None
    await db.pass_ms(3_600_000)
    assert (await db.wakes.next_due()).in_s == 0
    assert (await db.wakes.next_due(in_flight=False)).in_s is None


@pytest.mark.parametrize(("in_ms", "wakes"), [(500, True), (5_000, False)])
async def test_a_deferred_callback_is_due_at_its_time_and_wakes_when_that_is_soon(
    db: StoreFixture, in_ms: int, wakes: bool
) -> None:
    inbox = Inbox(db.client, db.scripts)
    assert await inbox.defer(b"{}", db.ms + in_ms)
    assert await db.client.exists(KEYS.wake) == wakes
    assert (await db.wakes.next_due()).in_s == in_ms / 1000
    await db.pass_ms(in_ms)
    assert (await db.wakes.next_due()).in_s == 0
    assert await inbox.take_deferred(10, 60_000) == [b"{}"]
    assert (await db.wakes.next_due()).in_s == 60.0


@pytest.mark.parametrize(("in_ms", "wakes"), [(500, True), (5_000, False)])
async def test_a_retry_that_comes_before_all_that_was_known_wakes(db: StoreFixture, in_ms: int, wakes: bool) -> None:
    """A scheduler finds what is due later by itself: it sleeps for a second at most."""
    await db.running("a", 1)
    begun = (await db.sending("bulk", 1)).jobs[0]
    assert await db.claim() is None
    await db.client.delete(KEYS.wake)
    waiting = replace(begun.record, state=State.WAITING, lease=0)
    await db.dispatch.settle([StoredTransition(job=begun.job, old=begun.record, new=waiting, next_ms=db.ms + in_ms)])
    assert await db.client.exists(KEYS.wake) == wakes
    assert (await db.wakes.next_due()).in_s == in_ms / 1000
