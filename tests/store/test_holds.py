"""Holds: what they stop, who is let through, and how a run of failures opens one."""

from dataclasses import replace

import pytest

from dispatcher.core.job import JobId, Record, State
from dispatcher.store.dispatch import Change
from tests.store.world import World, words

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("scope", ["account", "batch:a", "document:d0c", "country:US", "job:a.0"])
async def test_a_hold_stops_begin_and_its_release_lets_the_job_go(world: World, scope: str) -> None:
    """Whatever was leased before the hold goes back unspent."""
    await world.running("a", 1, documents=("d0c",))
    lease = await world.leased()
    await world.holds.open(scope, "funds", "why")
    held = await world.begin(lease, country="country:US")
    assert words(held) == ["held"]
    assert held.jobs[0].record == Record()
    await world.holds.release(scope)
    await world.pass_ms(60_000)
    assert words(await world.begin(await world.leased(), country="country:US")) == ["go"]


@pytest.mark.parametrize("scope", ["account", "batch:a", "document:d0c"])
async def test_nothing_is_claimed_under_a_hold(world: World, scope: str) -> None:
    await world.running("a", 1, documents=("d0c",))
    await world.holds.open(scope, "funds", "why")
    assert await world.claim() is None
    await world.holds.release(scope)
    await world.pass_ms(2_000)
    assert await world.claim() is not None


async def test_a_hold_of_one_batch_leaves_the_others_alone(world: World) -> None:
    await world.running("a", 3)
    await world.running("b", 3)
    await world.holds.open("batch:a", "rejected", "why")
    assert {job.batch for job in (await world.leased()).jobs} == {"b"}


async def test_a_held_account_lets_one_job_through_at_each_probe_time(world: World) -> None:
    await world.running("a", 5)
    await world.holds.open("account", "funds", "why", probe_after_s=60, probe_every_s=900)
    assert await world.claim() is None
    await world.pass_ms(60_000)
    probe = await world.leased()
    assert (len(probe.jobs), probe.probe) == (1, "account")
    assert words(await world.begin(probe)) == ["go"]
    assert await world.claim() is None
    await world.pass_ms(900_000)
    assert (await world.leased()).probe == "account"


async def test_a_hold_keeps_its_beginning_when_it_is_opened_again(world: World) -> None:
    assert await world.holds.open("account", "funds", "first")
    await world.pass_ms(5_000)
    assert not await world.holds.open("account", "auth", "second")
    (hold,) = await world.holds.all()
    assert (hold.category, hold.cause, hold.since_ms) == ("funds", "first", world.ms - 5_000)


async def test_a_run_of_failures_holds_a_scope_and_each_attempt_counts_once(world: World) -> None:
    strike = world.holds.strike
    assert not await strike("batch:a", 3, attempt="a.0/1")
    assert not await strike("batch:a", 3, attempt="a.0/1")
    assert not await strike("batch:a", 3, attempt="a.1/1")
    assert await strike("batch:a", 3, attempt="a.2/1")
    assert await strike("batch:a", 3, attempt="a.2/1")
    await world.holds.open("batch:a", "rejected", "why")
    assert not await strike("batch:a", 3, attempt="a.3/1")


@pytest.mark.parametrize("state", [State.ACCEPTED, State.DELIVERED])
async def test_a_fax_that_is_taken_ends_the_run_of_failures_of_its_batch(world: World, state: State) -> None:
    await world.running("a", 1)
    await world.holds.strike("batch:a", 2, attempt="a.9/1")
    begun = (await world.sending()).jobs[0]
    new = replace(begun.record, state=state)
    await world.dispatch.settle([Change(job=begun.job, old=begun.record, new=new, next_ms=world.ms + 1)])
    assert not await world.holds.strike("batch:a", 2, attempt="a.8/1")


async def test_five_lost_leases_hold_the_job_and_its_release_lets_it_go(world: World) -> None:
    """Four do not; after the release it has five again."""
    await world.running("a", 1)
    for lost in range(1, 6):
        await world.leased()
        await world.pass_ms(31_000)
        reaped = await world.dispatch.reap(most=10, again_s=30)
        assert (reaped.given_back, reaped.held) == (1, int(lost == 5))
    assert [hold.scope for hold in await world.holds.all()] == ["job:a.0"]
    await world.pass_ms(10**9)
    assert await world.claim() is None
    await world.holds.release("job:a.0")
    await world.leased()
    await world.pass_ms(31_000)
    assert (await world.dispatch.reap(most=10, again_s=30)).held == 0


async def test_a_beginning_ends_the_run_of_lost_leases(world: World) -> None:
    await world.running("a", 1)
    await world.leased()
    await world.pass_ms(31_000)
    await world.dispatch.reap(most=10, again_s=30)
    assert (await world.record(JobId("a", 0))).strikes == 1
    assert (await world.sending()).jobs[0].record.strikes == 0
