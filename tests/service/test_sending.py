"""What a worker makes of the answers to its sends."""

import asyncio

import pytest

from dispatcher.core.batch import Priority
from dispatcher.core.job import State
from dispatcher.service.news import encode
from dispatcher.sinch.callbacks import FAX_COMPLETED, CallbackEvent
from tests.service.office import Office

pytestmark = pytest.mark.anyio


async def test_a_send_whose_callback_is_quicker_than_its_answer_counts_once(office: Office) -> None:
    async def call_back() -> None:
        (news,) = office.provider.end_calls(1.0)
        await office.store.inbox.add([encode(news.job, news.attempt, CallbackEvent(event=FAX_COMPLETED, news=news))])
        await office.room.news.settle_events()

    await office.world.running("a", 1)
    office.provider.before_answer = call_back
    await office.room.work()
    await office.room.rest()
    assert [one.state for one in await office.records()] == [State.DELIVERED]
    totals = await office.store.totals.all()
    assert totals["attempts", "accepted"] == totals["provider_responses", "200"] == 1


async def test_an_urgent_fax_goes_before_those_whose_slots_are_still_to_come(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender, world = office.room.sender, office.world
    monkeypatch.setattr(sender, "_sleep", asyncio.sleep)
    await world.limiter.set_ceiling(20.0)
    await world.running("a", 4)
    await world.running("b", 1, first=50, priority=Priority.URGENT)
    for priority in ("bulk", "urgent"):
        lease = await world.claim(priority, 4, 10)
        assert lease is not None
        await sender.submit(lease.id, urgent=priority == "urgent")
    await sender.finish()
    # two slots lie in the past, as after any pause
    assert [call.job.partition(".")[0] for call in office.provider.calls] == ["a", "a", "b", "a", "a"]
