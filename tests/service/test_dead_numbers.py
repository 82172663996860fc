"""The do-not-fax list on the way of a fax, and dead numbers, with the default policy and a clock that jumps."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from dispatcher.core.batch import Command
from dispatcher.core.job import AttemptOutcome, JobId, State
from dispatcher.core.limits.limited_by import LimitedBy
from dispatcher.core.suppressions import Suppression, SuppressionSource
from dispatcher.service.doctor import examine
from dispatcher.service.limits import what_limits_batches
from dispatcher.service.suppressions import SuppressionFilter, remove_suppressions
from tests.service.default_policy_system import MAX_IN_FLIGHT, DefaultPolicySystem, open_default_policy_system
from tests.service.fake_provider import Call
from tests.store.fixture import KEYS, number, upload_chunk

pytestmark = pytest.mark.anyio

DEAD = ("CALL_ERROR", 34)
DAY_S = 86_400
#: numbers of fifty area codes, twenty each
SPREAD = [number(area * 100 + line) for line in range(20) for area in range(50)]


@pytest.fixture
async def system(redis_url: str) -> AsyncIterator[DefaultPolicySystem]:
    async with open_default_policy_system(redis_url) as opened:
        yield opened


async def run_batch(system: DefaultPolicySystem, batch: str, numbers: list[str], seconds: float, **more: Any) -> None:
    await system.db.draft(batch, [], **more)
    for first in range(0, len(numbers), 1000):
        part = numbers[first : first + 1000]
        await system.db.batches.add_chunk(batch, upload_chunk(part, upload=f"u{first}", checked=True))
    await system.db.batches.command(batch, Command.START)
    await system.run(seconds)


async def entries(system: DefaultPolicySystem) -> dict[str, Suppression]:
    return {entry.number: entry for entry in await system.store.suppressions.page("", 1000)}


def dead(*numbers: str) -> object:
    return lambda call: DEAD if call.to in numbers else None


async def test_a_number_that_is_suppressed_after_it_was_added_is_not_sent(system: DefaultPolicySystem) -> None:
    """The job ends, spends nothing, and says why; the others are sent, and the books are right."""
    await system.db.draft("a", SPREAD[:4])
    entry = Suppression(number=SPREAD[1], source=SuppressionSource.OPT_OUT, reason="asked by phone")
    await system.store.suppressions.put([entry])
    await system.db.batches.command("a", Command.START)
    await system.run(30)
    assert await system.states() == {State.DELIVERED: 3, State.CANCELLED: 1}
    assert SPREAD[1] not in {call.to for call in system.line.calls}
    job = (await system.store.dispatch.stored([JobId("a", 1)]))[0]
    assert job is not None
    assert (job.record.failure.category, job.record.attempt) == ("suppressed", 0)
    assert [(line.outcome, line.why) for line in job.history] == [
        (AttemptOutcome.SUPPRESSED, "the number is on the do-not-fax list (opt_out): asked by phone")
    ]
    overview = await system.store.batches.overview("a")
    assert overview is not None
    assert (overview.attempts, overview.finished_ms > 0) == (3, True)
    assert not [f for f in await examine(system.store, fix=False, progress=lambda done, total: None) if not f.ok]


async def test_a_call_proves_that_a_number_is_dead_and_a_delivery_that_it_is_not(system: DefaultPolicySystem) -> None:
    """For 30 days; after a second proof until somebody edits the entry."""
    system.line.failure = dead(SPREAD[0])  # type: ignore[assignment]
    await run_batch(system, "a", SPREAD[:3], 60)
    first = (await entries(system))[SPREAD[0]]
    assert (first.source, first.job, first.expires_ms - first.added_ms) == ("dead_number", "a.0", 30 * DAY_S * 1000)
    assert "CALL_ERROR 34" in first.reason
    await run_batch(system, "b", [SPREAD[0]], 120)
    await run_batch(system, "c", [SPREAD[0]], 120, ignore_dead_numbers=True)
    assert [await system.states(name) for name in "bc"] == [{State.CANCELLED: 1}, {State.FAILED: 1}]
    second = (await entries(system))[SPREAD[0]]
    assert (second.job, second.expires_ms) == ("c.0", 0)
    system.line.failure = lambda call: None
    await run_batch(system, "d", [SPREAD[0]], 120, ignore_dead_numbers=True)
    assert await system.states("d") == {State.DELIVERED: 1}
    assert await entries(system) == {}


async def test_too_many_dead_numbers_hold_the_batch_until_somebody_looks(system: DefaultPolicySystem) -> None:
    """None is added by then on; a release accepts them, and the entries of the batch can be taken back."""
    system.line.failure = lambda call: DEAD
    await run_batch(system, "a", SPREAD[:200], 120)
    holds = await system.store.holds.all()
    assert [(hold.scope, hold.category) for hold in holds] == [("batch:a", "bad_numbers")]
    assert "11 of the last 200 calls" in holds[0].cause
    assert len(await entries(system)) == 10
    sent = system.line.sends
    await system.run(3600)
    assert system.line.sends == sent, "a person has to look"
    await system.store.holds.release("batch:a")
    await system.run(120)
    assert await system.states() == {State.FAILED: 200}
    assert await system.holds() == []
    added = len(await entries(system))
    assert added > 100
    criteria = SuppressionFilter(source="dead_number", batch="a")
    assert await remove_suppressions(system.store, criteria) == (added, False)
    assert await entries(system) == {}


async def test_twenty_dead_numbers_of_an_area_within_an_hour_hold_the_batch(system: DefaultPolicySystem) -> None:
    """However many calls of other mailings end well between them."""
    area = [number(line) for line in range(24)]
    system.line.failure = dead(*area)  # type: ignore[assignment]
    for batch, numbers in (("a", area[:8]), ("b", area[8:16]), ("c", area[16:] + [number(100 + i) for i in range(80)])):
        await run_batch(system, batch, numbers, 30)
        await system.db.client.incrby(KEYS.calls, 1000)
    holds = await system.store.holds.all()
    assert [(hold.scope, hold.category) for hold in holds] == [("batch:c", "bad_numbers")]
    assert holds[0].cause.startswith("20 numbers that begin with +1201 and were called lately are not in operation")
    assert len(await entries(system)) == 19


def says(code: int, kind: str = "CALL_ERROR") -> object:
    def failure(call: Call) -> tuple[str, int]:
        return kind, code

    return failure


@pytest.mark.parametrize(("kind", "code"), [("CALL_ERROR", 17), ("FAX_ERROR", 34), ("FAX_ERROR", 49)])
async def test_no_other_failure_proves_it(system: DefaultPolicySystem, kind: str, code: int) -> None:
    system.line.failure = says(code, kind)  # type: ignore[assignment]
    await run_batch(system, "a", SPREAD[:3], 60)
    assert await entries(system) == {}


@pytest.mark.parametrize(("each", "held"), [(33, False), (16, True)], ids=["3 % dead", "6 % dead"])
async def test_a_plain_list_ends_and_one_that_is_held_waits_for_a_person_only(
    system: DefaultPolicySystem, each: int, held: bool
) -> None:
    """With the default policy. What waits says why, other mailings go on, and a released batch is not held again."""
    system.line.failure = dead(*SPREAD[::each])  # type: ignore[assignment]
    await run_batch(system, "a", SPREAD[:500], 600)
    assert await system.holds() == (["batch:a"] if held else [])
    if held:
        await system.store.workers.register("w", "1")
        await system.db.client.set(KEYS.scheduler_seen, system.db.ms)
        limits = await what_limits_batches(system.store, ["a"], max_in_flight=MAX_IN_FLIGHT)
        assert limits["a"].word is LimitedBy.HOLD
        await run_batch(system, "b", [number(5000 + line) for line in range(10)], 60)
        assert await system.states("b") == {State.DELIVERED: 10}
        await system.store.holds.release("batch:a")
        await system.run(600)
    dead_numbers = len(SPREAD[:500:each])
    assert await system.states() == {State.FAILED: dead_numbers, State.DELIVERED: 500 - dead_numbers}
    assert await system.holds() == []
    # those whose calls ended while the batch was held are not on the list
    not_added = (await system.store.metric_totals.all()).get(("dead_numbers", "not_added"), 0)
    assert len(await entries(system)) == dead_numbers - not_added
    assert (not_added > 0) is held
