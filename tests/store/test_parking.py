"""Rows of a held country: they are parked without a lease, stand in nobody's way, and come back when it is released."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from dispatcher.core.batch import Command
from dispatcher.core.job import JobId, State
from dispatcher.core.recovery.places import Place
from dispatcher.store.audit import Audit
from dispatcher.store.dispatch import StoredTransition
from tests.store import snapshot
from tests.store.fixture import CLAIM_OPTIONS, KEYS, StoreFixture, number, part, words

pytestmark = pytest.mark.anyio

US = "country:US"
#: rows that one call of claim passes over at most
MAX_PASSED = 1000


async def mailing(world: StoreFixture, barred: int, others: int, batch: str = "a") -> None:
    """So many rows of a held country, and others behind them."""
    await world.limiter.set_ceiling(10_000.0)
    numbers = [number(index) for index in range(barred + others)]
    await world.draft(batch, numbers, regions=["US"] * barred + ["GB"] * others)
    await world.holds.open(US, "not_permitted", "why")
    await world.batches.command(batch, Command.START)


async def leased_rows(world: StoreFixture, batch: str = "a") -> list[int]:
    """Lease all there is."""
    rows: list[int] = []
    while lease := await world.claim():
        rows += [job.row for job in lease.jobs if job.batch == batch]
    return rows


async def stored(world: StoreFixture, batch: str = "a") -> Any:
    shown = await snapshot.of_store(world)
    assert snapshot.wrong_places(shown) == []
    return shown["batches"][batch]


async def test_claim_parks_the_rows_of_a_held_country_and_goes_on_behind_them(world: StoreFixture) -> None:
    """They wait without a time, count as before, and no lease was ever made for them."""
    await mailing(world, 40, 3)
    assert await leased_rows(world) == [40, 41, 42]
    shown = await stored(world)
    assert (shown["parked"], shown["due"]) == ({"US": set(range(40))}, {})
    assert shown["sums"] == (43, 0, 0)
    assert await world.batches.due_times("a", [0, 39]) == [None, None]


async def test_a_release_brings_them_back_in_steps(world: StoreFixture) -> None:
    """No more than a hundred at a time stand among what is due."""
    await mailing(world, 250, 1)
    assert await leased_rows(world) == [250]
    await world.holds.release(US)
    first = [job.row for job in (await world.leased()).jobs]
    assert max(first) < 140
    assert len((await stored(world))["due"]) <= 100
    assert sorted([*first, *await leased_rows(world)]) == list(range(250))
    assert (
        await world.client.exists(KEYS.released, KEYS.parked(US), KEYS.part("a", "parked"), KEYS.parked_rows("a", "US"))
        == 0
    )
    assert await world.client.zcard(KEYS.watch[Place.LEASED]) == 251


async def test_due_rows_of_a_held_country_are_parked_too_and_the_others_go(world: StoreFixture) -> None:
    """However many of them came due first."""
    await world.limiter.set_ceiling(10_000.0)
    numbers = [number(index) for index in range(400)]
    await world.draft("a", numbers, regions=["US"] * 399 + ["GB"])
    await world.batches.command("a", Command.START)
    assert len(await leased_rows(world)) == 400
    await world.pass_ms(31_000)
    await world.dispatch.reclaim(max_jobs=500, again_s=30)
    await world.holds.open(US, "not_permitted", "why")
    assert (await world.leased()).jobs == (JobId("a", 399),)
    assert len((await stored(world))["parked"]["US"]) == 399


async def test_a_job_that_meets_the_hold_of_its_country_in_begin_is_parked(world: StoreFixture) -> None:
    await world.running("a", 2, regions=["US", "GB"])
    lease = await world.leased()
    await world.holds.open(US, "not_permitted", "why")
    assert words(await world.begin(lease)) == ["held", "go"]
    assert (await stored(world))["parked"] == {"US": {0}}
    await world.pass_ms(10**9)
    assert await world.claim() is None
    await world.holds.release(US)
    assert (await world.leased()).jobs == (JobId("a", 0),)


async def test_a_country_that_is_held_again_keeps_what_had_not_come_back(world: StoreFixture) -> None:
    await mailing(world, 300, 0)
    assert await world.claim() is None
    await world.holds.release(US)
    first = await world.leased()
    await world.holds.open(US, "not_permitted", "why")
    assert await leased_rows(world) == []
    assert len((await stored(world))["parked"]["US"]) == 300 - len(first.jobs)
    await world.holds.release(US)
    assert len(await leased_rows(world)) == 300 - len(first.jobs)


async def barred_list(world: StoreFixture, blocks: int, batch: str = "a") -> None:
    """So many thousand rows of a held country, and one row of another behind them."""
    await world.draft(batch, [number(9_999)], regions=["US"])
    for block in range(blocks):
        rows = [f"+1{block:03d}555{index:04d}" for index in range(1000)]
        await world.batches.add_chunk(batch, part(rows, upload=f"u{block}", regions=["US"] * 1000))
    await world.batches.add_chunk(batch, part(["+442079460000"], upload="last", regions=["GB"]))
    await world.holds.open(US, "not_permitted", "why")
    await world.batches.command(batch, Command.START)


async def test_one_call_passes_over_a_bounded_number_of_rows_and_the_scheduler_goes_on_at_once(
    world: StoreFixture,
) -> None:
    """The job behind twenty thousand barred ones is found without a pause between the calls."""
    await barred_list(world, 20)
    parked = [0]
    for _ in range(5):
        assert await world.scripts.run("claim", **CLAIM_OPTIONS) == b"more"
        parked.append(await world.client.bitcount(KEYS.parked_rows("a", "US")))
    assert all(900 < after - before <= MAX_PASSED for before, after in pairwise(parked))
    assert len((await world.leased()).jobs) == 1
    assert await world.client.bitcount(KEYS.parked_rows("a", "US")) == 20_001


async def test_a_batch_that_passes_over_its_rows_does_not_stop_the_others(world: StoreFixture) -> None:
    """And earns no share of the rate by it."""
    await barred_list(world, 20)
    await world.running("b", 100)
    await world.scripts.run("claim", **CLAIM_OPTIONS)
    assert await world.client.zcard(KEYS.watch[Place.LEASED]) == 8
    scores = dict(await world.client.zrange(KEYS.active("bulk"), 0, -1, withscores=True))
    assert scores[b"a"] == scores[b"b"]


@pytest.mark.parametrize("command", [Command.CANCEL, Command.EXPIRE])
async def test_parked_rows_end_with_their_batch_in_bounded_steps(world: StoreFixture, command: Command) -> None:
    await mailing(world, 130, 0)
    assert await world.claim() is None
    await world.batches.command("a", command)
    assert [await world.dispatch.finalize(100), await world.dispatch.finalize(100)] == [100, 30]
    overview = await world.batches.overview("a")
    assert overview is not None
    assert overview.tally.final == 130
    assert overview.finished_ms == world.ms
    names = (KEYS.draining, KEYS.parked(US), KEYS.part("a", "parked"), KEYS.parked_rows("a", "US"), KEYS.released)
    assert await world.client.exists(*names) == 0


async def test_a_paused_batch_keeps_its_parked_rows_and_finds_them_after_a_release(world: StoreFixture) -> None:
    await mailing(world, 20, 0)
    assert await world.claim() is None
    await world.batches.command("a", Command.PAUSE)
    await world.holds.release(US)
    assert await world.claim() is None
    await world.batches.command("a", Command.RESUME)
    assert sorted(await leased_rows(world)) == list(range(20))


@pytest.mark.parametrize("spoilt", [Place.DUE, Place.PARKED, Place.LEASED])
async def test_repair_puts_a_row_where_it_belongs(world: StoreFixture, spoilt: Place) -> None:
    """One that is due and parked, one that is in no place, and one that is parked although it is leased."""
    await world.draft("a", [number(index) for index in range(40)], regions=["US"] * 40)
    await world.batches.command("a", Command.START)
    await world.leased(max_jobs=32)
    await world.holds.open(US, "not_permitted", "why")
    assert await world.claim() is None
    job = JobId("a", 0 if spoilt is Place.LEASED else 39)
    if spoilt is Place.DUE:
        await world.client.zadd(KEYS.part("a", "due"), {"39": 1})
    else:
        await world.client.setbit(KEYS.parked_rows("a", "US"), job.row, spoilt is Place.LEASED)
    audit = Audit(world.client, world.scripts)
    assert await audit.repair(job)
    facts = await audit.job(job)
    assert facts is not None
    assert facts.places == {Place.LEASED if spoilt is Place.LEASED else Place.DUE}
    assert not await audit.repair(job)


@pytest.mark.parametrize("state", [State.DELIVERED, State.FAILED, State.WAITING])
async def test_late_news_of_a_parked_job_takes_it_out_of_where_it_is_parked(world: StoreFixture, state: State) -> None:
    """Else it would be sent once more when the hold of its country ends."""
    await mailing(world, 3, 1)
    await leased_rows(world)
    job = JobId("a", 1)
    record = await world.record(job)
    news = replace(record, state=state, history_revision=1)
    assert await world.dispatch.settle(
        [StoredTransition(job=job, old=record, new=news, next_ms=world.ms + 60_000)]
    ) == [None]
    shown = await stored(world)
    assert shown["parked"] == {"US": {0, 2}}
    assert list(shown["due"]) == ([1] if state is State.WAITING else [])
    await world.holds.release(US)
    assert sorted(await leased_rows(world)) == [0, 2]


async def test_news_of_the_only_parked_job_leaves_nothing_parked(world: StoreFixture) -> None:
    await mailing(world, 1, 1)
    await leased_rows(world)
    record = await world.record(JobId("a", 0))
    change = StoredTransition(job=JobId("a", 0), old=record, new=replace(record, state=State.DELIVERED), next_ms=0)
    assert await world.dispatch.settle([change]) == [None]
    assert await world.client.exists(KEYS.parked(US), KEYS.part("a", "parked"), KEYS.parked_rows("a", "US")) == 0


@pytest.mark.parametrize("state", [state for state in State if state not in (State.VOID, State.WAITING)])
async def test_only_what_waits_is_leased_whatever_stands_in_the_due_set(world: StoreFixture, state: State) -> None:
    """A row too many there must not become a second fax."""
    await world.running("a", 2)
    await leased_rows(world)
    job = JobId("a", 1)
    record = await world.record(job)
    await world.dispatch.settle(
        [StoredTransition(job=job, old=record, new=replace(record, state=state, lease=0), next_ms=None)]
    )
    await world.client.zadd(KEYS.part("a", "due"), {"1": world.ms})
    await world.client.zadd(KEYS.timers, {"a": 0})
    assert await leased_rows(world) == []
    assert await world.client.zcard(KEYS.part("a", "due")) == 0
