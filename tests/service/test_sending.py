"""What a worker makes of the answers to its sends."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from dispatcher.core.batch import Command, Priority
from dispatcher.core.job import State
from dispatcher.core.outcome import Refused
from dispatcher.service.inbox_consumer import encode
from dispatcher.sinch.callbacks import FAX_COMPLETED, CallbackEvent
from dispatcher.store.dispatch import BeginAnswer, EncodedTransition
from dispatcher.store.errors import StoreUnavailable
from tests.service.system import FaultySystem, InProcessSystem
from tests.store.fixture import KEYS

pytestmark = pytest.mark.anyio


async def test_a_send_whose_callback_is_quicker_than_its_answer_counts_once(system: FaultySystem) -> None:
    async def call_back() -> None:
        (fax_update,) = system.provider.end_calls(1.0)
        await system.store.inbox.add(
            [encode(fax_update.job, fax_update.attempt, CallbackEvent(event=FAX_COMPLETED, update=fax_update))]
        )
        await system.runtime.inbox_consumer.settle_events()

    await system.db.running("a", 1)
    system.provider.before_answer = call_back
    await system.begin_due()
    await system.finish()
    await system.db.pass_ms(1_000)
    await system.runtime.inbox_consumer.settle_events()
    assert [record.state for record in await system.records()] == [State.DELIVERED]
    totals = await system.store.metric_totals.all()
    assert totals["attempts", "accepted"] == totals["provider_responses", "200"] == 1


@pytest.mark.parametrize("away_s", [10, 100], ids=["ten seconds", "longer than answers are kept"])
@pytest.mark.parametrize("done", [True, False], ids=["done", "not done"])
async def test_what_was_begun_without_an_answer_goes_back_when_redis_is_there_again(
    system: FaultySystem, monkeypatch: pytest.MonkeyPatch, done: bool, away_s: int
) -> None:
    """The worker knows that it sent nothing: no look-up, no server error, and the job is sent at once."""
    begin, lost = system.store.dispatch.begin, list[object]()

    async def lossy(*arguments: Any, **more: Any) -> BeginAnswer:
        if lost:
            return await begin(*arguments, **more)
        if done:
            await begin(*arguments, **more)
        lost.append(arguments)
        await system.db.pass_ms(away_s * 1000)
        for answer in await system.db.client.keys(KEYS.begun("*")) if away_s > 60 else ():
            await system.db.client.delete(answer)
        raise StoreUnavailable("away")

    monkeypatch.setattr(system.store.dispatch, "begin", lossy)
    await system.db.running("a", 3)
    await system.begin_due()
    await system.finish()
    assert lost
    assert system.provider.sends == (0 if done else 3), "what the later try begins is in time for its own slots"
    assert State.SENDING not in {record.state for record in await system.records()}
    await system.work(6)
    records = await system.records()
    assert {(record.counters.server_errors, record.lookups) for record in records} == {(0, 0)}
    assert {record.state for record in records} <= {State.ACCEPTED, State.DELIVERED}
    assert system.provider.sends == 3


async def test_nothing_leaves_after_the_whole_machine_stood_still_longer_than_anybody_waits(
    system: FaultySystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hypervisor may stop a machine between begin and the first byte, and its steady clock does not count that."""

    async def stand_still(seconds: float) -> None:
        system.uncounted_s += 900.0
        await system.db.pass_ms(900_000)

    monkeypatch.setattr(system.runtime.sender, "_sleep", stand_still)
    await system.db.running("a", 1)
    await system.begin_due()
    await system.finish()
    assert system.provider.sends == 0
    assert [record.state for record in await system.records()] == [State.WAITING]


async def test_an_urgent_fax_goes_before_those_whose_slots_are_still_to_come(
    system: FaultySystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender, db = system.runtime.sender, system.db
    later = asyncio.Condition()

    async def sleep(seconds: float) -> None:
        end_us = db.us + round(seconds * 1_000_000)
        async with later:
            await later.wait_for(lambda: db.us >= end_us)

    monkeypatch.setattr(sender, "_sleep", sleep)
    await db.limiter.set_ceiling(20.0)
    await db.running("a", 4)
    await db.running("b", 1, first=50, priority=Priority.URGENT)
    for priority in ("bulk", "urgent"):
        lease = await db.claim(priority, 4, 10)
        assert lease is not None
        await sender.submit(lease.id, urgent=priority == "urgent")
    for _ in range(30):
        await db.pass_ms(10)
        async with later:
            later.notify_all()
    await sender.finish()
    # the first slot lay in the past, as after any pause
    assert [call.job.partition(".")[0] for call in system.provider.calls] == ["a", "b", "a", "a", "a"]


async def test_a_refusal_whose_settlement_was_lost_on_its_way_back_still_holds_the_account(
    system: FaultySystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The batch was cancelled meanwhile, so that the first settlement has made the job final. It counts once."""
    apply, lost = system.store.dispatch.apply, list[object]()

    async def lossy(changes: Sequence[EncodedTransition]) -> object:
        if lost:
            return await apply(changes)
        await system.store.batches.command("a", Command.CANCEL)
        lost.append(await apply(changes))
        raise StoreUnavailable("the answer was lost")

    monkeypatch.setattr(system.store.dispatch, "apply", lossy)
    system = InProcessSystem(system.store, system.db, system.provider, "another")
    await system.db.running("a", 1)
    system.provider.refusal = lambda fax: Refused(status=401)
    await system.begin_due()
    await system.finish()
    assert lost == [[None]]
    assert [record.state for record in await system.records()] == [State.CANCELLED]
    assert [hold.scope for hold in await system.store.holds.all()] == ["account"]
    assert (await system.store.metric_totals.all())["attempts", "refused"] == 1
