"""Pages that arrived before a call failed, whichever way the news of it comes."""

from collections.abc import Awaitable, Callable

import pytest

from dispatcher.core.job import Record, State
from dispatcher.core.outcome import Accepted, FaxStatus, Unclear
from dispatcher.service.inbox_consumer import encode
from dispatcher.sinch.callbacks import FAX_COMPLETED, CallbackEvent
from dispatcher.sinch.order import FaxOrder
from dispatcher.sinch.wire import AttemptLabels
from tests.service.fake_provider import Call
from tests.service.system import FaultySystem

pytestmark = pytest.mark.anyio


async def sent(system: FaultySystem, on_partial: str) -> None:
    """Three of ten pages of the one fax arrive, and then nothing more."""
    await system.db.running("a", 1, on_partial=on_partial)
    await system.begin_due()
    await system.finish()
    fail(system)


def fail(system: FaultySystem) -> None:
    for call in system.provider.calls:
        call.status, call.error, call.pages_sent, call.pages_total = FaxStatus.FAILURE, ("FAX_ERROR", 8), 3, 10
        call.ended_ms = system.db.ms


async def by_callback(system: FaultySystem, on_partial: str) -> None:
    await sent(system, on_partial)
    fax_update = system.provider.calls[0].fax_update
    await system.store.inbox.add(
        [encode(fax_update.job, fax_update.attempt, CallbackEvent(event=FAX_COMPLETED, update=fax_update))]
    )
    await system.runtime.inbox_consumer.settle_events()


async def by_read_back(system: FaultySystem, on_partial: str) -> None:
    await sent(system, on_partial)
    await system.db.pass_ms(20_000)
    await system.begin_due()
    await system.finish()


async def by_lookup(system: FaultySystem, on_partial: str) -> None:
    """The answer to the POST was lost."""
    system.provider.takes_unclear = True
    system.provider.refusal = lambda fax: Unclear(reason="reset")
    await sent(system, on_partial)
    system.provider.refusal = lambda fax: None
    await system.db.pass_ms(15_000)
    await system.begin_due()
    await system.finish()


async def by_answer(system: FaultySystem, on_partial: str) -> None:
    def ended_at_once(order: FaxOrder) -> Accepted:
        labels = AttemptLabels.read(order.labels)
        call = Call(id="F9", to=order.to[0], job=labels.job, attempt=labels.attempt, created_ms=system.db.ms)
        system.provider.calls.append(call)
        fail(system)
        return Accepted(update=call.fax_update)

    system.provider.refusal = ended_at_once
    await sent(system, on_partial)


@pytest.mark.parametrize("way", [by_callback, by_read_back, by_lookup, by_answer])
@pytest.mark.parametrize(
    ("on_partial", "state"),
    [("", State.DELIVERED_UNCONFIRMED), ("stop", State.DELIVERED_UNCONFIRMED), ("resend", State.WAITING)],
)
async def test_the_batch_decides_whether_a_partly_sent_fax_is_sent_again(
    system: FaultySystem, way: Callable[[FaultySystem, str], Awaitable[None]], on_partial: str, state: State
) -> None:
    await way(system, on_partial)
    (record,) = await system.records()
    assert (record.state, record.pages_sent, record.failure.category) == (state, 3, "page_unconfirmed")


async def test_what_a_batch_asked_for_is_read_once(system: FaultySystem, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not for each of its jobs, and not for news that does not depend on it."""
    reads = []
    read = system.store.batches.definition

    async def counted(batch: str) -> object:
        reads.append(batch)
        return await read(batch)

    monkeypatch.setattr(system.store.batches, "definition", counted)
    await system.db.running("a", 5, on_partial="stop")
    for _ in range(5):
        await system.begin_due()
        await system.finish()
        await system.db.pass_ms(500)
    fail(system)
    events = [
        encode(c.job, c.attempt, CallbackEvent(event=FAX_COMPLETED, update=c.fax_update)) for c in system.provider.calls
    ]
    await system.store.inbox.add(events)
    await system.runtime.inbox_consumer.settle_events()
    records: list[Record] = await system.records()
    assert {record.state for record in records} == {State.DELIVERED_UNCONFIRMED}
    assert reads == ["a"]
