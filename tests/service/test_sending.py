"""What a worker makes of the answers to its sends."""

import pytest

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
