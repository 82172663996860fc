"""Pages that arrived before a call failed, whichever way the news of it comes."""

from collections.abc import Awaitable, Callable

import pytest

from dispatcher.core.job import Record, State
from dispatcher.core.outcome import Accepted, FaxStatus, Unclear
from dispatcher.service.inbox_consumer import encode
from dispatcher.sinch.callbacks import FAX_COMPLETED, CallbackEvent
from dispatcher.sinch.outgoing import OutgoingFax
from tests.service.fake_provider import Call
from tests.service.system import InProcessSystem

pytestmark = pytest.mark.anyio


async def sent(office: InProcessSystem, on_partial: str) -> None:
    """Three of ten pages of the one fax arrive, and then nothing more."""
    await office.world.running("a", 1, on_partial=on_partial)
    await office.room.work()
    await office.room.rest()
    fail(office)


def fail(office: InProcessSystem) -> None:
    for call in office.provider.calls:
        call.status, call.error, call.pages_sent, call.pages_total = FaxStatus.FAILURE, ("FAX_ERROR", 8), 3, 10
        call.ended_ms = office.world.ms


async def by_callback(office: InProcessSystem, on_partial: str) -> None:
    await sent(office, on_partial)
    news = office.provider.calls[0].news
    await office.store.inbox.add([encode(news.job, news.attempt, CallbackEvent(event=FAX_COMPLETED, news=news))])
    await office.room.news.settle_events()


async def by_read_back(office: InProcessSystem, on_partial: str) -> None:
    await sent(office, on_partial)
    await office.world.pass_ms(20_000)
    await office.room.work()
    await office.room.rest()


async def by_look_up(office: InProcessSystem, on_partial: str) -> None:
    """The answer to the POST was lost."""
    office.provider.takes_unclear = True
    office.provider.refusal = lambda fax: Unclear(reason="reset")
    await sent(office, on_partial)
    office.provider.refusal = lambda fax: None
    await office.world.pass_ms(15_000)
    await office.room.work()
    await office.room.rest()


async def by_answer(office: InProcessSystem, on_partial: str) -> None:
    def ended_at_once(fax: OutgoingFax) -> Accepted:
        call = Call(id="F9", to=fax.to, job=fax.job, attempt=fax.attempt, created_ms=office.world.ms)
        office.provider.calls.append(call)
        fail(office)
        return Accepted(update=call.news)

    office.provider.refusal = ended_at_once
    await sent(office, on_partial)


@pytest.mark.parametrize("way", [by_callback, by_read_back, by_look_up, by_answer])
@pytest.mark.parametrize(
    ("on_partial", "state"),
    [("", State.DELIVERED_UNCONFIRMED), ("stop", State.DELIVERED_UNCONFIRMED), ("resend", State.WAITING)],
)
async def test_the_batch_decides_whether_a_partly_sent_fax_is_sent_again(
    office: InProcessSystem, way: Callable[[InProcessSystem, str], Awaitable[None]], on_partial: str, state: State
) -> None:
    await way(office, on_partial)
    (record,) = await office.records()
    assert (record.state, record.pages_sent, record.category) == (state, 3, "page_unconfirmed")


async def test_what_a_batch_asked_for_is_read_once(office: InProcessSystem, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not for each of its jobs, and not for news that does not depend on it."""
    reads = []
    read = office.store.batches.definition

    async def counted(batch: str) -> object:
        reads.append(batch)
        return await read(batch)

    monkeypatch.setattr(office.store.batches, "definition", counted)
    await office.world.running("a", 5, on_partial="stop")
    for _ in range(5):
        await office.room.work()
        await office.room.rest()
        await office.world.pass_ms(500)
    fail(office)
    events = [encode(c.job, c.attempt, CallbackEvent(event=FAX_COMPLETED, news=c.news)) for c in office.provider.calls]
    await office.store.inbox.add(events)
    await office.room.news.settle_events()
    records: list[Record] = await office.records()
    assert {record.state for record in records} == {State.DELIVERED_UNCONFIRMED}
    assert reads == ["a"]
