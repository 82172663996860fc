"""A fax that the provider took and never ends, with the default policy."""

from collections.abc import AsyncIterator

import pytest

from dispatcher.core.batch import BatchState, Command
from dispatcher.core.job import AttemptOutcome, JobId, State
from dispatcher.core.outcome import FaxUpdate
from dispatcher.core.policy.policy import Policy
from dispatcher.service.inbox_consumer import encode
from dispatcher.service.views import view_batch
from dispatcher.sinch.callbacks import FAX_COMPLETED, CallbackEvent
from tests.service.system import FaultySystem, open_system

pytestmark = pytest.mark.anyio

HOUR_MS = 3_600_000


@pytest.fixture
async def system(redis_url: str) -> AsyncIterator[FaultySystem]:
    async with open_system(redis_url, Policy()) as opened:
        yield opened


async def work(system: FaultySystem, pass_ms: int) -> None:
    await system.db.pass_ms(pass_ms)
    await system.begin_due()
    await system.finish()
    assert system.failures == []


async def state_of(system: FaultySystem) -> BatchState:
    return (await view_batch(system.store, "a")).state


@pytest.mark.parametrize("known", [True, False], ids=["the provider knows it", "and forgets it in the end"])
async def test_its_batch_ends_after_80_hours(system: FaultySystem, known: bool) -> None:
    """A batch that was cancelled does not wait for it for ever, and it is never sent again."""
    await system.db.running("a", 1)
    await work(system, 0)
    await system.store.batches.command("a", Command.CANCEL)
    await work(system, 79 * HOUR_MS)
    assert await state_of(system) is BatchState.ENDING
    if not known:
        system.provider.calls.clear()
    await work(system, HOUR_MS + 1)
    (record,) = await system.records()
    assert (record.state, record.failure.category) == (State.DELIVERED_UNCONFIRMED, "callback_missing")
    assert await state_of(system) is BatchState.CANCELLED
    await work(system, 100 * HOUR_MS)
    assert system.provider.sends == 1


async def test_its_end_is_told_later(system: FaultySystem) -> None:
    """The state stays, and the history has it."""
    await system.db.running("a", 1)
    await work(system, 0)
    await work(system, 80 * HOUR_MS)
    fax_update: FaxUpdate = system.provider.end_calls(1.0)[0]
    await system.store.inbox.add(
        [encode(fax_update.job, fax_update.attempt, CallbackEvent(event=FAX_COMPLETED, update=fax_update))]
    )
    await system.runtime.inbox_consumer.settle_events()
    (stored,) = await system.store.dispatch.stored([JobId("a", 0)])
    assert stored
    assert stored.record.state is State.DELIVERED_UNCONFIRMED
    assert [(entry.outcome, entry.fate) for entry in stored.history] == [
        (AttemptOutcome.UNENDED, "unended"),
        (AttemptOutcome.LATE, "delivered"),
    ]
