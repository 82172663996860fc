"""Only a part of a batch is started; the rest waits for a command, and the batch says so."""

import asyncio
import random

import pytest

from dispatcher.core.batch import BatchState, Command
from dispatcher.core.job import State
from dispatcher.core.limits.limited_by import LimitedBy
from dispatcher.service.errors import ActionNotAllowed
from dispatcher.service.limits import what_limits_batches
from dispatcher.service.mailings import Allowed, Mailings, StartedPart
from dispatcher.store.store import Store
from tests.service.samples import draft, running
from tests.service.test_job_cancellation import lease, put

pytestmark = pytest.mark.anyio


@pytest.fixture
def mailings(store: Store) -> Mailings:
    async def fine() -> None:
        """The provider takes our key."""

    return Mailings(store, fine, 1000, b"key")


async def withheld(store: Store, batch: str) -> int:
    overview = await store.batches.overview(batch)
    assert overview
    return overview.withheld


async def leased_until_nothing_is_due(store: Store) -> list[int]:
    rows = list[int]()
    while more := await lease(store, 7):
        rows += more
    return rows


@pytest.mark.parametrize(
    ("part", "jobs", "quota"),
    [
        (StartedPart(first=100), 1000, 100),
        (StartedPart(first=100), 100, 0),
        (StartedPart(first=100), 99, 0),
        (StartedPart(percent=1), 1000, 10),
        (StartedPart(percent=1), 1001, 11),
        (StartedPart(percent=1), 5, 1),
        (StartedPart(percent=100), 5, 0),
        (StartedPart(), 5, 0),
    ],
)
def test_how_many_jobs_a_part_is(part: StartedPart, jobs: int, quota: int) -> None:
    assert part.quota(jobs) == quota


async def test_only_the_first_jobs_begin_until_the_rest_may(store: Store, mailings: Mailings) -> None:
    batch = await draft(store, 30)
    started = await mailings.command(batch, Command.START, Allowed(), StartedPart(first=10))
    assert started.batch.state is BatchState.RUNNING
    assert await withheld(store, batch) == 20
    assert await leased_until_nothing_is_due(store) == list(range(10))
    limits = await what_limits_batches(store, [batch], max_in_flight=10)
    assert limits[batch].word in (LimitedBy.PARTIAL_START, LimitedBy.NO_SCHEDULER)
    await mailings.continue_batch(batch)
    assert await withheld(store, batch) == 0
    assert await leased_until_nothing_is_due(store) == list(range(10, 30))
    await mailings.continue_batch(batch)


async def test_retries_of_the_part_go_on_while_the_rest_waits(store: Store, mailings: Mailings) -> None:
    batch = await draft(store, 5)
    await mailings.command(batch, Command.START, Allowed(), StartedPart(first=2))
    assert await lease(store, 5) == [0, 1]
    await put(store, batch, {0: (State.DELIVERED, ""), 1: (State.WAITING, "busy")})
    assert await withheld(store, batch) == 3
    assert await leased_until_nothing_is_due(store) == [1]


async def test_pause_resume_and_cancel_know_of_the_part(store: Store, mailings: Mailings) -> None:
    batch = await draft(store, 5)
    await mailings.command(batch, Command.START, Allowed(), StartedPart(first=2))
    await mailings.command(batch, Command.PAUSE)
    await mailings.continue_batch(batch)
    assert await leased_until_nothing_is_due(store) == []
    await mailings.command(batch, Command.RESUME)
    assert await leased_until_nothing_is_due(store) == list(range(5))
    other = await draft(store, 5)
    await mailings.command(other, Command.START, Allowed(repeat=True), StartedPart(first=2))
    await mailings.command(other, Command.CANCEL)
    assert await withheld(store, other) == 0
    with pytest.raises(ActionNotAllowed, match="nothing that could go on"):
        await mailings.continue_batch(other)


async def test_only_a_draft_is_started_in_part(store: Store, mailings: Mailings) -> None:
    batch = await running(store, 5)
    with pytest.raises(ActionNotAllowed, match="only a draft can be started in part"):
        await mailings.command(batch, Command.START, Allowed(), StartedPart(first=2))
    with pytest.raises(ActionNotAllowed, match="is draft"):
        await mailings.continue_batch(await draft(store, 5))


async def test_the_same_part_again_changes_nothing_and_another_is_refused(store: Store, mailings: Mailings) -> None:
    """Also when some of it has begun, and when the rest has been let begin."""
    batch = await draft(store, 10)
    parts = [StartedPart(first=3), StartedPart(percent=30)]
    await mailings.command(batch, Command.START, Allowed(), parts[0])
    assert await lease(store, 2) == [0, 1]
    for part in parts:
        await mailings.command(batch, Command.START, Allowed(), part)
        assert await withheld(store, batch) == 7
    with pytest.raises(ActionNotAllowed, match="only its first 3 jobs; the rest begins with continue"):
        await mailings.command(batch, Command.START, Allowed(), StartedPart(first=4))
    await mailings.continue_batch(batch)
    await mailings.command(batch, Command.START, Allowed(), parts[0])
    assert await withheld(store, batch) == 0
    whole = await draft(store, 2)
    for _ in range(2):
        await mailings.command(whole, Command.START, Allowed(repeat=True), StartedPart(first=100))


async def test_of_two_starts_with_other_parts_at_the_same_time_one_is_refused(store: Store, mailings: Mailings) -> None:
    batch = await draft(store, 10)
    starts = [mailings.command(batch, Command.START, Allowed(), StartedPart(first=first)) for first in (3, 4)]
    outcomes = await asyncio.gather(*starts, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes].count(ActionNotAllowed) == 1
    assert await withheld(store, batch) in (6, 7)


async def test_rows_of_a_held_country_count_as_begun_and_no_more_begin(store: Store, mailings: Mailings) -> None:
    batch = await draft(store, 10)
    await mailings.command(batch, Command.START, Allowed(), StartedPart(first=4))
    await store.holds.open("country:US", "not_permitted", "no")
    assert await leased_until_nothing_is_due(store) == []
    await store.holds.release("country:US")
    assert sorted(await leased_until_nothing_is_due(store)) == [0, 1, 2, 3]


async def test_whatever_is_leased_in_whatever_pieces_the_quota_is_kept(store: Store, mailings: Mailings) -> None:
    draw = random.Random(5)
    for _ in range(8):
        jobs, first = draw.randrange(1, 60), draw.randrange(1, 70)
        batch = await draft(store, jobs)
        await mailings.command(batch, Command.START, Allowed(repeat=True), StartedPart(first=first))
        rows = list[int]()
        while more := await lease(store, draw.randrange(1, 20)):
            rows += more
        assert rows == list(range(min(first, jobs)))
        assert await withheld(store, batch) == max(0, jobs - first)
        await store.batches.command(batch, Command.CANCEL)
