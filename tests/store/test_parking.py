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
from tests.store.fixture import CLAIM_OPTIONS, KEYS, StoreFixture, number, upload_chunk, words

pytestmark = pytest.mark.anyio

US = "country:US"
#: rows that one call of claim passes over at most
MAX_PASSED = 1000


async def mailing(db: StoreFixture, barred: int, others: int, batch: str = "a") -> None:
    """So many rows of a held country, and others behind them."""
    await db.limiter.set_ceiling(10_000.0)
    numbers = [number(index) for index in range(barred + others)]
    await db.draft(batch, numbers, regions=["US"] * barred + ["GB"] * others)
    await db.holds.open(US, "not_permitted", "why")
    await db.batches.command(batch, Command.START)


async def leased_rows(db: StoreFixture, batch: str = "a") -> list[int]:
    """Lease all there is."""
    rows: list[int] = []
    while lease := await db.claim():
        rows += [job.row for job in lease.jobs if job.batch == batch]
    return rows


async def stored(db: StoreFixture, batch: str = "a") -> Any:
    shown = await snapshot.of_store(db)
    assert snapshot.wrong_places(shown) == []
    return shown["batches"][batch]


async def test_claim_parks_the_rows_of_a_held_country_and_goes_on_behind_them(db: StoreFixture) -> None:
    """They wait without a time, count as before, and no lease was ever made for them."""
    await mailing(db, 40, 3)
    assert await leased_rows(db) == [40, 41, 42]
    shown = await stored(db)
    assert (shown["parked"], shown["due"]) == ({"US": set(range(40))}, {})
    assert shown["sums"] == (43, 0, 0)
    assert await db.batches.due_times("a", [0, 39]) == [None, None]


async def test_a_release_brings_them_back_in_steps(db: StoreFixture) -> None:
    """No more than a hundred at a time stand among what is due."""
    await mailing(db, 250, 1)
    assert await leased_rows(db) == [250]
    await db.holds.release(US)
    first = [job.row for job in (await db.leased()).jobs]
    assert max(first) < 140
    assert len((await stored(db))["due"]) <= 100
    assert sorted([*first, *await leased_rows(db)]) == list(range(250))
    assert (
        await db.client.exists(
            KEYS.released, KEYS.stopped_batches(US), KEYS.of_batch("a", "parked"), KEYS.parked_rows("a", "US")
        )
        == 0
    )
    assert await db.client.zcard(KEYS.watch[Place.LEASED]) == 251


async def test_due_rows_of_a_held_country_are_parked_too_and_the_others_go(db: StoreFixture) -> None:
    """However many of them came due first."""
    await db.limiter.set_ceiling(10_000.0)
    numbers = [number(index) for index in range(400)]
    await db.draft("a", numbers, regions=["US"] * 399 + ["GB"])
    await db.batches.command("a", Command.START)
    assert len(await leased_rows(db)) == 400
    await db.pass_ms(31_000)
    await db.dispatch.reclaim(max_jobs=500, again_s=30)
    await db.holds.open(US, "not_permitted", "why")
    assert (await db.leased()).jobs == (JobId("a", 399),)
    assert len((await stored(db))["parked"]["US"]) == 399


async def test_a_job_that_meets_the_hold_of_its_country_in_begin_is_parked(db: StoreFixture) -> None:
    await db.running("a", 2, regions=["US", "GB"])
    lease = await db.leased()
    await db.holds.open(US, "not_permitted", "why")
    assert words(await db.begin(lease)) == ["held", "go"]
    assert (await stored(db))["parked"] == {"US": {0}}
    await db.pass_ms(10**9)
    assert await db.claim() is None
    await db.holds.release(US)
    assert (await db.leased()).jobs == (JobId("a", 0),)


async def test_a_country_that_is_held_again_keeps_what_had_not_come_back(db: StoreFixture) -> None:
    await mailing(db, 300, 0)
    assert await db.claim() is None
    await db.holds.release(US)
    first = await db.leased()
    await db.holds.open(US, "not_permitted", "why")
    assert await leased_rows(db) == []
    assert len((await stored(db))["parked"]["US"]) == 300 - len(first.jobs)
    await db.holds.release(US)
    assert len(await leased_rows(db)) == 300 - len(first.jobs)


async def barred_list(db: StoreFixture, blocks: int, batch: str = "a") -> None:
    """So many thousand rows of a held country, and one row of another behind them."""
    await db.draft(batch, [number(9_999)], regions=["US"])
    for block in range(blocks):
        rows = [f"+1{block:03d}555{index:04d}" for index in range(1000)]
        await db.batches.add_chunk(batch, upload_chunk(rows, upload=f"u{block}", regions=["US"] * 1000))
    await db.batches.add_chunk(batch, upload_chunk(["+442079460000"], upload="last", regions=["GB"]))
    await db.holds.open(US, "not_permitted", "why")
    await db.batches.command(batch, Command.START)


async def test_one_call_passes_over_a_bounded_number_of_rows_and_the_scheduler_goes_on_at_once(
    db: StoreFixture,
) -> None:
    """The job behind twenty thousand barred ones is found without a pause between the calls."""
    await barred_list(db, 20)
    parked = [0]
    for _ in range(5):
        assert await db.scripts.run("claim", **CLAIM_OPTIONS) == b"more"
        parked.append(await db.client.bitcount(KEYS.parked_rows("a", "US")))
    assert all(900 < after - before <= MAX_PASSED for before, after in pairwise(parked))
    assert len((await db.leased()).jobs) == 1
    assert await db.client.bitcount(KEYS.parked_rows("a", "US")) == 20_001


async def test_a_batch_that_passes_over_its_rows_does_not_stop_the_others(db: StoreFixture) -> None:
    """And earns no share of the rate by it."""
    await barred_list(db, 20)
    await db.running("b", 100)
    await db.scripts.run("claim", **CLAIM_OPTIONS)
    assert await db.client.zcard(KEYS.watch[Place.LEASED]) == 8
    scores = dict(await db.client.zrange(KEYS.active("bulk"), 0, -1, withscores=True))
    assert scores[b"a"] == scores[b"b"]


@pytest.mark.parametrize("command", [Command.CANCEL, Command.EXPIRE])
async def test_parked_rows_end_with_their_batch_in_bounded_steps(db: StoreFixture, command: Command) -> None:
    await mailing(db, 130, 0)
    assert await db.claim() is None
    await db.batches.command("a", command)
    assert [await db.dispatch.finalize(100), await db.dispatch.finalize(100)] == [100, 30]
    overview = await db.batches.overview("a")
    assert overview is not None
    assert overview.tally.final == 130
    assert overview.finished_ms == db.ms
    names = (
        KEYS.draining,
        KEYS.stopped_batches(US),
        KEYS.of_batch("a", "parked"),
        KEYS.parked_rows("a", "US"),
        KEYS.released,
    )
    assert await db.client.exists(*names) == 0


async def test_a_paused_batch_keeps_its_parked_rows_and_finds_them_after_a_release(db: StoreFixture) -> None:
    await mailing(db, 20, 0)
    assert await db.claim() is None
    await db.batches.command("a", Command.PAUSE)
    await db.holds.release(US)
    assert await db.claim() is None
    await db.batches.command("a", Command.RESUME)
    assert sorted(await leased_rows(db)) == list(range(20))


@pytest.mark.parametrize("spoilt", [Place.DUE, Place.PARKED, Place.LEASED])
async def test_repair_puts_a_row_where_it_belongs(db: StoreFixture, spoilt: Place) -> None:
    """One that is due and parked, one that is in no place, and one that is parked although it is leased."""
    await db.draft("a", [number(index) for index in range(40)], regions=["US"] * 40)
    await db.batches.command("a", Command.START)
    await db.leased(max_jobs=32)
    await db.holds.open(US, "not_permitted", "why")
    assert await db.claim() is None
    job = JobId("a", 0 if spoilt is Place.LEASED else 39)
    if spoilt is Place.DUE:
        await db.client.zadd(KEYS.of_batch("a", "due"), {"39": 1})
    else:
        await db.client.setbit(KEYS.parked_rows("a", "US"), job.row, spoilt is Place.LEASED)
    audit = Audit(db.client, db.scripts)
    assert await audit.repair(job)
    facts = await audit.job(job)
    assert facts is not None
    assert facts.places == {Place.LEASED if spoilt is Place.LEASED else Place.DUE}
    assert not await audit.repair(job)


@pytest.mark.parametrize("state", [State.DELIVERED, State.FAILED, State.WAITING])
async def test_late_news_of_a_parked_job_takes_it_out_of_where_it_is_parked(db: StoreFixture, state: State) -> None:
    """Else it would be sent once more when the hold of its country ends."""
    await mailing(db, 3, 1)
    await leased_rows(db)
    job = JobId("a", 1)
    record = await db.record(job)
    fax_update = replace(record, state=state, history_revision=1)
    assert await db.dispatch.settle(
        [StoredTransition(job=job, old=record, new=fax_update, next_ms=db.ms + 60_000)]
    ) == [None]
    shown = await stored(db)
    assert shown["parked"] == {"US": {0, 2}}
    assert list(shown["due"]) == ([1] if state is State.WAITING else [])
    await db.holds.release(US)
    assert sorted(await leased_rows(db)) == [0, 2]


async def test_news_of_the_only_parked_job_leaves_nothing_parked(db: StoreFixture) -> None:
    await mailing(db, 1, 1)
    await leased_rows(db)
    record = await db.record(JobId("a", 0))
    change = StoredTransition(job=JobId("a", 0), old=record, new=replace(record, state=State.DELIVERED), next_ms=0)
    assert await db.dispatch.settle([change]) == [None]
    assert (
        await db.client.exists(KEYS.stopped_batches(US), KEYS.of_batch("a", "parked"), KEYS.parked_rows("a", "US")) == 0
    )


@pytest.mark.parametrize(
    "state", [state for state in State if state not in (State.VOID, State.WAITING, State.UNREADABLE)]
)
async def test_only_what_waits_is_leased_whatever_stands_in_the_due_set(db: StoreFixture, state: State) -> None:
    """A row too many there must not become a second fax."""
    await db.running("a", 2)
    await leased_rows(db)
    job = JobId("a", 1)
    record = await db.record(job)
    await db.dispatch.settle(
        [StoredTransition(job=job, old=record, new=replace(record, state=state, lease=0), next_ms=None)]
    )
    await db.client.zadd(KEYS.of_batch("a", "due"), {"1": db.ms})
    await db.client.zadd(KEYS.timers, {"a": 0})
    assert await leased_rows(db) == []
    assert await db.client.zcard(KEYS.of_batch("a", "due")) == 0
