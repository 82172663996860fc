"""A fax that the provider took and never ends, with the default policy."""

from collections.abc import AsyncIterator

import pytest

from dispatcher.core.batch import BatchState, Command
from dispatcher.core.job import AttemptOutcome, JobId, State
from dispatcher.core.outcome import FaxUpdate
from dispatcher.core.policy import Policy
from dispatcher.service.inbox_consumer import encode
from dispatcher.service.views import view_batch
from dispatcher.sinch.callbacks import FAX_COMPLETED, CallbackEvent
from tests.service.system import InProcessSystem, open_office

pytestmark = pytest.mark.anyio

HOUR_MS = 3_600_000


@pytest.fixture
async def office(redis_url: str) -> AsyncIterator[InProcessSystem]:
    async with open_office(redis_url, Policy()) as opened:
        yield opened


async def work(office: InProcessSystem, pass_ms: int) -> None:
    await office.world.pass_ms(pass_ms)
    await office.room.work()
    await office.room.rest()
    assert office.room.failures == []


async def state_of(office: InProcessSystem) -> BatchState:
    return (await view_batch(office.store, "a")).state


@pytest.mark.parametrize("known", [True, False], ids=["the provider knows it", "and forgets it in the end"])
async def test_its_batch_ends_after_80_hours(office: InProcessSystem, known: bool) -> None:
    """A batch that was cancelled does not wait for it for ever, and it is never sent again."""
    await office.world.running("a", 1)
    await work(office, 0)
    await office.store.batches.command("a", Command.CANCEL)
    await work(office, 79 * HOUR_MS)
    assert await state_of(office) is BatchState.ENDING
    if not known:
        office.provider.calls.clear()
    await work(office, HOUR_MS + 1)
    (record,) = await office.records()
    assert (record.state, record.category) == (State.DELIVERED_UNCONFIRMED, "callback_missing")
    assert await state_of(office) is BatchState.CANCELLED
    await work(office, 100 * HOUR_MS)
    assert office.provider.sends == 1


async def test_its_end_is_told_later(office: InProcessSystem) -> None:
    """The state stays, and the history has it."""
    await office.world.running("a", 1)
    await work(office, 0)
    await work(office, 80 * HOUR_MS)
    news: FaxUpdate = office.provider.end_calls(1.0)[0]
    await office.store.inbox.add([encode(news.job, news.attempt, CallbackEvent(event=FAX_COMPLETED, news=news))])
    await office.room.news.settle_events()
    (stored,) = await office.store.dispatch.stored([JobId("a", 0)])
    assert stored
    assert stored.record.state is State.DELIVERED_UNCONFIRMED
    assert [(one.outcome, one.fate) for one in stored.history] == [
        (AttemptOutcome.UNENDED, "unended"),
        (AttemptOutcome.LATE, "delivered"),
    ]
