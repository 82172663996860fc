"""Single jobs of a batch that runs are cancelled: none of them is faxed, and those under way are said."""

import random
from dataclasses import replace
from typing import Any

import pytest

from dispatcher.core.batch import Command, Control
from dispatcher.core.job import LIVE, FailureCode, JobId, State
from dispatcher.core.job_filter import JobFilter
from dispatcher.service import job_cancellation
from dispatcher.service.errors import ActionNotAllowed
from dispatcher.service.job_cancellation import Cancellation, cancel_jobs
from dispatcher.service.jobs import show_job
from dispatcher.store.dispatch import JobHold, StoredTransition
from dispatcher.store.store import Store
from tests.service.samples import draft, number, running

pytestmark = pytest.mark.anyio
ALL = JobFilter()


async def put(store: Store, batch: str, ends: dict[int, tuple[State, str]], next_ms: int = 1) -> None:
    """Let leased jobs of a batch come into states, waiting ones with a failure."""
    changes = [
        StoredTransition(
            job=stored.job,
            old=stored.record,
            new=replace(
                stored.record,
                state=ends[stored.job.row][0],
                lease=0,
                fax_id="F1",
                failure=FailureCode(category=ends[stored.job.row][1]),
            ),
            next_ms=next_ms,
        )
        for stored in await store.dispatch.stored([JobId(batch, row) for row in sorted(ends)])
        if stored
    ]
    assert set(await store.dispatch.settle(changes)) == {None}


async def lease(store: Store, jobs: int) -> list[int]:
    leased = await store.dispatch.claim("bulk", max_jobs=jobs, max_ahead=1000, max_in_flight=1000)
    return [job.row for job in leased.jobs] if leased else []


async def states(store: Store, batch: str) -> list[State]:
    return [record.state for record in await store.batches.records(batch, 0)]


async def cancel(store: Store, batch: str, named: JobFilter, *, preview: bool = False) -> Cancellation:
    return await cancel_jobs(store, batch, named, reason="wrong list", preview=preview)


async def test_jobs_in_every_place_are_cancelled_and_none_is_leased_again(store: Store) -> None:
    """Not begun, leased, waiting for a retry; those under way are only counted."""
    batch = await running(store, 10)
    assert await lease(store, 6) == [0, 1, 2, 3, 4, 5]
    await put(store, batch, {0: (State.WAITING, "busy"), 1: (State.ACCEPTED, ""), 2: (State.DELIVERED, "")})
    assert await cancel(store, batch, ALL, preview=True) == Cancellation(jobs=8, in_flight=1, next_row=None)
    assert await cancel(store, batch, ALL) == Cancellation(jobs=8, in_flight=1, next_row=None)
    expected = [State.CANCELLED, State.ACCEPTED, State.DELIVERED, *[State.CANCELLED] * 7]
    assert await states(store, batch) == expected
    assert await lease(store, 10) == []
    assert await cancel(store, batch, ALL) == Cancellation(jobs=0, in_flight=1, next_row=None)
    overview = await store.batches.overview(batch)
    assert overview
    assert overview.tally.by_state == {State.CANCELLED: 8, State.ACCEPTED: 1, State.DELIVERED: 1}
    assert not overview.finished_ms
    await put(store, batch, {1: (State.DELIVERED, "")})
    overview = await store.batches.overview(batch)
    assert overview
    assert overview.finished_ms
    assert overview.control is Control.RUNNING


async def test_a_worker_with_a_cancelled_job_in_its_lease_begins_only_the_others(store: Store) -> None:
    batch = await running(store, 3)
    leased = await store.dispatch.claim("bulk", max_jobs=3, max_ahead=100, max_in_flight=100)
    assert leased
    await cancel(store, batch, JobFilter(rows=frozenset({1})))
    stored = await store.dispatch.stored(leased.jobs)
    assert [entry.record.state for entry in stored if entry] == [State.LEASED, State.CANCELLED, State.LEASED]


async def test_only_those_that_match_are_cancelled(store: Store) -> None:
    batch = await running(store, 6)
    await lease(store, 4)
    await put(store, batch, {row: (State.WAITING, "busy" if row % 2 else "no_answer") for row in range(4)}, 10**15)
    assert (await cancel(store, batch, JobFilter(categories=frozenset({"busy"})))).jobs == 2
    assert (await cancel(store, batch, JobFilter(numbers=frozenset({number(5)})))).jobs == 1
    cancelled = [row for row, state in enumerate(await states(store, batch)) if state is State.CANCELLED]
    assert cancelled == [1, 3, 5]


async def test_a_held_job_is_cancelled_with_its_hold(store: Store) -> None:
    batch = await running(store, 1)
    await lease(store, 1)
    (stored,) = await store.dispatch.stored([JobId(batch, 0)])
    assert stored
    waiting = replace(stored.record, state=State.WAITING, lease=0)
    hold = JobHold(category="submit_unknown", cause="gone")
    await store.dispatch.settle([StoredTransition(job=stored.job, old=stored.record, new=waiting, hold=hold)])
    assert len(await store.holds.all()) == 1
    assert (await cancel(store, batch, ALL)).jobs == 1
    assert await store.holds.all() == []


async def test_jobs_that_are_parked_for_a_held_country_are_cancelled(store: Store) -> None:
    batch = await running(store, 4)
    await store.holds.open("country:US", "not_permitted", "no")
    assert await lease(store, 4) == []
    assert (await cancel(store, batch, JobFilter(rows=frozenset({0, 2})))).jobs == 2
    await store.holds.release("country:US")
    assert sorted(await lease(store, 4)) == [1, 3]


async def test_a_cancelled_job_says_why(store: Store) -> None:
    batch = await running(store, 2)
    await cancel(store, batch, JobFilter(rows=frozenset({0})))
    assert (await show_job(store, f"{batch}.0")).explanation.endswith("wrong list")


async def test_of_a_draft_no_job_is_cancelled(store: Store) -> None:
    with pytest.raises(ActionNotAllowed, match="is a draft"):
        await cancel(store, await draft(store, 2), ALL)


@pytest.mark.parametrize("end", ["cancelled", "finished"])
async def test_of_a_batch_that_has_ended_nothing_is_left_to_cancel(store: Store, end: str) -> None:
    """The last page of a cancellation, or its repeat, may find it so."""
    batch = await running(store, 2)
    await (store.batches.command(batch, Command.CANCEL) if end == "cancelled" else cancel(store, batch, ALL))
    assert await cancel(store, batch, ALL) == Cancellation(jobs=0, in_flight=0, next_row=None)


async def test_a_batch_that_ends_while_its_jobs_are_cancelled_ends_the_cancellation(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was cancelled before that is counted."""
    batch = await running(store, 2_000)
    one_by_one = store.batches.cancel_jobs

    async def and_then_the_batch(*arguments: Any) -> Any:
        answer = await one_by_one(*arguments)
        await store.batches.command(batch, Command.CANCEL)
        return answer

    monkeypatch.setattr(store.batches, "cancel_jobs", and_then_the_batch)
    assert await cancel(store, batch, ALL) == Cancellation(jobs=100, in_flight=0, next_row=None)


async def test_a_long_cancellation_goes_on_where_it_was(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    batch = await running(store, 2_100)
    monkeypatch.setattr(job_cancellation, "BUDGET_S", -1.0)
    part = await cancel(store, batch, ALL)
    assert part == Cancellation(jobs=0, in_flight=0, next_row=-1)
    monkeypatch.setattr(job_cancellation, "BUDGET_S", 60.0)
    rest = await cancel_jobs(store, batch, ALL, reason="r", preview=False, after=999)
    assert (rest.jobs, rest.next_row) == (1_100, None)
    overview = await store.batches.overview(batch)
    assert overview
    assert overview.tally.by_state == {State.CANCELLED: 1_100, State.WAITING: 1_000}


async def test_what_is_cancelled_at_any_moment_is_never_leased_again(store: Store) -> None:
    """Cancelled, leased and put back in any order: a job is leased, or it is cancelled for good; the counts agree."""
    draw = random.Random(11)
    batch = await running(store, 60)
    cancelled = set[int]()
    for _ in range(40):
        rows = await lease(store, draw.randrange(1, 6))
        assert cancelled.isdisjoint(rows)
        back = [row for row in rows if draw.random() < 0.6]
        await put(store, batch, dict.fromkeys(back, (State.WAITING, "busy"))) if back else None
        named = frozenset(draw.sample(range(60), 2))
        before = await states(store, batch)
        done = await cancel(store, batch, JobFilter(rows=named))
        assert done.jobs == sum(before[row] in LIVE for row in named)
        cancelled |= {row for row in named if before[row] in LIVE}
        now = await states(store, batch)
        assert {row for row, state in enumerate(now) if state is State.CANCELLED} == cancelled
        overview = await store.batches.overview(batch)
        assert overview
        assert overview.tally.by_state == {state: now.count(state) for state in set(now)}


async def test_a_record_that_cannot_be_read_is_left_alone(store: Store) -> None:
    batch = await running(store, 3)
    client, keys = store._client, store._keys
    await client.setrange(keys.of_block(batch, "records", 0), 0, b"\xff")
    assert (await cancel(store, batch, ALL)).jobs == 2
    assert (await states(store, batch))[0] is State.UNREADABLE
