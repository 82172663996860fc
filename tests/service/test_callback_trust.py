"""Callbacks from valid addresses with false contents, as a list of attacks, with the default policy."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from dispatcher.core.job import AttemptOutcome, JobId, Recipient, Record, State
from dispatcher.core.outcome import FaxStatus, FaxUpdate, Unclear
from dispatcher.core.policy import Policy
from dispatcher.service.inbox_consumer import encode
from dispatcher.sinch.callbacks import FAX_COMPLETED, CallbackEvent
from dispatcher.sinch.errors import UnreadableError
from dispatcher.store.errors import StoreError
from tests.service.fake_provider import Call, Mailroom
from tests.service.system import InProcessSystem, open_office

pytestmark = pytest.mark.anyio

JOB = JobId("a", 0)


@pytest.fixture
async def office(redis_url: str) -> AsyncIterator[InProcessSystem]:
    async with open_office(redis_url, Policy()) as opened:
        yield opened


async def work(office: InProcessSystem, pass_ms: int = 0) -> None:
    await office.world.pass_ms(pass_ms)
    await office.room.work()
    await office.room.rest()
    assert office.room.failures == []


async def call_back(office: InProcessSystem, news: FaxUpdate, job: JobId = JOB, attempt: int = 1) -> None:
    await office.store.inbox.add([encode(str(job), attempt, CallbackEvent(event=FAX_COMPLETED, news=news))])
    await office.room.news.settle_events()


async def record(office: InProcessSystem, job: JobId = JOB) -> Record:
    (stored,) = await office.store.dispatch.stored([job])
    assert stored
    return stored.record


async def counted(office: InProcessSystem, result: str) -> int:
    return (await office.store.metric_totals.all()).get(("callbacks", result), 0)


async def accepted(office: InProcessSystem, jobs: int = 1) -> Call:
    await office.world.running("a", jobs)
    for _ in range(jobs):
        await work(office)
    assert len(office.provider.calls) == jobs
    return next(call for call in office.provider.calls if call.job == str(JOB))


async def unclear(office: InProcessSystem) -> Call:
    """The provider took the fax, and its answer was lost."""
    office.provider.takes_unclear = True
    office.provider.refusal = lambda fax: Unclear(reason="reset")
    await office.world.running("a", 1)
    await work(office)
    (call,) = office.provider.calls
    return call


def completed(call: Call) -> FaxUpdate:
    return replace(call.news, status=FaxStatus.COMPLETED)


async def test_the_fax_that_the_answer_named_needs_no_read(
    office: InProcessSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = await accepted(office)

    async def no_read(fax_id: str, *, total_s: float) -> FaxUpdate | None:
        raise AssertionError("it is read")

    monkeypatch.setattr(office.provider, "fax", no_read)
    office.provider.end_calls(1.0)
    await call_back(office, call.news)
    assert (await record(office)).state is State.DELIVERED
    assert await counted(office, "settled") == 1


async def test_callbacks_that_are_settled_together_read_their_rows_once(
    office: InProcessSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    await accepted(office, 5)
    read, blocks = office.store.batches.recipients, list[tuple[str, int]]()

    async def recipients(batch: str, block: int) -> tuple[Recipient, ...]:
        blocks.append((batch, block))
        return await read(batch, block)

    monkeypatch.setattr(office.store.batches, "recipients", recipients)
    ended = office.provider.end_calls(1.0)
    events = [encode(one.job, one.attempt, CallbackEvent(event=FAX_COMPLETED, news=one)) for one in ended]
    await office.store.inbox.add(events)
    fresh = Mailroom(office.store, office.world, office.provider, "fresh", Policy())
    assert await fresh.news.settle_events() == 5
    assert blocks == [("a", 0)]
    assert await counted(office, "settled") == 5


async def test_another_number(office: InProcessSystem) -> None:
    call = await accepted(office)
    await call_back(office, replace(completed(call), to="+12025550199"))
    assert (await record(office)).state is State.ACCEPTED
    assert await counted(office, "mismatched") == 1


@pytest.mark.parametrize("labels", [{"job": "a.1"}, {"attempt": 2}])
async def test_labels_of_another_job_or_attempt(office: InProcessSystem, labels: dict[str, object]) -> None:
    """From the receiver such a one does not come: what lies in the inbox is judged all the same."""
    call = await accepted(office)
    await call_back(office, replace(completed(call), **labels))  # type: ignore[arg-type]  # of its kind
    assert (await record(office)).state is State.ACCEPTED
    assert await counted(office, "mismatched") == 1


SHOWS_LITTLE = pytest.mark.parametrize("without", [{"to": ""}, {"job": "", "attempt": 0}, {"attempt": 0}])


@SHOWS_LITTLE
async def test_one_without_number_or_labels_is_read_and_the_read_counts(
    office: InProcessSystem, without: dict[str, object]
) -> None:
    """Its fax failed, and the callback says that it arrived."""
    call = await accepted(office)
    call.status = FaxStatus.FAILURE
    await call_back(office, replace(completed(call), **without))  # type: ignore[arg-type]  # as above
    stored = await record(office)
    assert (stored.state, stored.category) == (State.WAITING, "busy")


@SHOWS_LITTLE
async def test_a_true_one_without_number_or_labels_is_not_lost(
    office: InProcessSystem, without: dict[str, object]
) -> None:
    """While nothing can be read it is kept; and what is read may show no more than it did."""
    call = await accepted(office)
    office.provider.end_calls(1.0)
    read, answers = office.provider.fax, [True]

    async def fax(fax_id: str, *, total_s: float) -> FaxUpdate | None:
        if answers:
            answers.clear()
            raise UnreadableError("no answer")
        news = await read(fax_id, total_s=total_s)
        return news and replace(news, **without)  # type: ignore[arg-type]  # as above

    office.provider.fax = fax  # type: ignore[method-assign]  # shows little
    await call_back(office, replace(call.news, **without))  # type: ignore[arg-type]  # as above
    assert (await record(office)).state is State.ACCEPTED
    assert await counted(office, "deferred") == 1
    await work(office, 30_000)
    assert (await record(office)).state is State.DELIVERED


async def test_false_callbacks_that_use_up_the_reads_do_not_cost_the_true_one(office: InProcessSystem) -> None:
    """The answer to the POST was lost. It waits until the fax is named, by the search or by the end of it."""
    call = await unclear(office)
    await office.world.pass_ms(21_000)
    for number in range(5):
        await call_back(office, replace(completed(call), fax_id=f"X{number}"))
    office.provider.end_calls(1.0)
    await call_back(office, call.news)
    stored = await record(office)
    assert (stored.state, stored.confirming_reads) == (State.SENDING, 5)
    assert await counted(office, "unconfirmed") == 0
    for _ in range(10):
        await work(office, 5_000)
    assert (await record(office)).state is State.DELIVERED


async def test_a_deferred_one_that_cannot_be_settled_is_set_aside(office: InProcessSystem) -> None:
    """It keeps no other back, is counted and reported, and can be tried again."""
    call = await accepted(office)
    office.provider.end_calls(1.0)
    inbox = office.store.inbox
    await inbox.defer(b"no JSON", office.world.ms)
    await inbox.defer(encode(str(JOB), 1, CallbackEvent(event=FAX_COMPLETED, news=call.news)), office.world.ms)
    await office.room.news.settle_events()
    assert (await record(office)).state is State.DELIVERED
    assert [event.event for event in await inbox.failed()] == [b"no JSON"]
    assert await counted(office, "failed") == 1
    assert await inbox.ready(office.world.ms + 10**9) == 0
    assert await inbox.retry_failed() == 1
    assert await inbox.depth() == 1


async def test_a_deferred_one_that_the_store_cannot_settle_now_comes_again(
    office: InProcessSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = await accepted(office)
    event = encode(str(JOB), 1, CallbackEvent(event=FAX_COMPLETED, news=call.news))
    await office.store.inbox.defer(event, office.world.ms)

    async def away(*_: object, **__: object) -> None:
        raise StoreError("away")

    with monkeypatch.context() as patch:
        patch.setattr(office.room.news._settler, "settle", away)
        with pytest.raises(StoreError):
            await office.room.news.settle_events()
    assert await office.store.inbox.failed() == []
    assert await office.store.inbox.ready(office.world.ms) == 0
    assert await office.store.inbox.ready(office.world.ms + 60_000) == 1


async def test_a_foreign_fax_of_somebody_else_in_the_account(office: InProcessSystem) -> None:
    call = await accepted(office)
    foreign = Call(id="X1", to=call.to, job="", attempt=0, created_ms=call.created_ms, status=FaxStatus.COMPLETED)
    office.provider.calls.append(foreign)
    await call_back(office, replace(completed(call), fax_id="X1"))
    assert (await record(office)).state is State.ACCEPTED
    assert await counted(office, "mismatched") == 1


async def test_the_fax_of_another_job(office: InProcessSystem) -> None:
    call = await accepted(office, 2)
    other = next(one for one in office.provider.calls if one.job != call.job)
    other.status = FaxStatus.COMPLETED
    await call_back(office, replace(completed(call), fax_id=other.id))
    assert (await record(office)).state is State.ACCEPTED
    assert await counted(office, "mismatched") == 1


@pytest.mark.parametrize(
    ("status", "state"), [(FaxStatus.UNFINISHED, State.ACCEPTED), (FaxStatus.FAILURE, State.WAITING)]
)
async def test_completed_for_a_fax_that_is_not(office: InProcessSystem, status: FaxStatus, state: State) -> None:
    """The answer to the POST was lost: what is read counts, and not what is called back."""
    call = await unclear(office)
    call.status = status
    await office.world.pass_ms(21_000)
    await call_back(office, completed(call))
    assert (await record(office)).state is state


async def test_before_the_answer_to_the_post_nothing_is_believed(office: InProcessSystem) -> None:
    call = await unclear(office)
    await call_back(office, completed(call))
    assert (await record(office)).state is State.SENDING
    assert await counted(office, "deferred") == 1
    assert await office.store.inbox.depth() == 0


async def test_a_callback_makes_up_for_a_lost_answer_once_its_fax_was_read(office: InProcessSystem) -> None:
    """It waits for the answer until the send deadline, and is stored meanwhile."""
    call = await unclear(office)
    office.provider.end_calls(1.0)
    await call_back(office, call.news)
    for _ in range(21):
        assert (await record(office)).state is State.SENDING
        await work(office, 1_000)
    assert (await record(office)).state is State.DELIVERED
    assert await office.store.inbox.ready(office.world.ms + 10**9) == 0


async def test_a_process_that_stops_leaves_what_it_cannot_read_to_another(office: InProcessSystem) -> None:
    call = await accepted(office)
    office.provider.end_calls(1.0)
    await office.store.inbox.add(
        [encode(str(JOB), 1, CallbackEvent(event=FAX_COMPLETED, news=replace(call.news, to="")))]
    )
    office.room.permits.close()
    await office.room.news.settle_events()
    assert (await record(office)).state is State.ACCEPTED
    assert await counted(office, "deferred") == 0
    other = Mailroom(office.store, office.world, office.provider, "other", Policy())
    await other.news.settle_events()
    assert (await record(office)).state is State.DELIVERED


async def test_a_fax_that_the_provider_does_not_know_is_neither_confirmed_nor_refuted(office: InProcessSystem) -> None:
    """It is asked for five times over the search period; then the callback is in the history and changes nothing."""
    call = await accepted(office)
    asked = []
    read = office.provider.fax

    async def fax(fax_id: str, *, total_s: float) -> FaxUpdate | None:
        asked.append(fax_id)
        return await read(fax_id, total_s=total_s)

    office.provider.fax = fax  # type: ignore[method-assign]  # counted
    await call_back(office, replace(completed(call), fax_id="X1"))
    for _ in range(60):
        await office.world.pass_ms(20_000)
        await office.room.news.settle_events()
    assert asked == ["X1"] * 5
    (stored,) = await office.store.dispatch.stored([JOB])
    assert stored
    assert (stored.record.state, stored.record.confirming_reads) == (State.ACCEPTED, 5)
    assert [(one.outcome, one.fax_id) for one in stored.history] == [(AttemptOutcome.UNCONFIRMED, "X1")]
    assert await counted(office, "unconfirmed") == 1
    assert await office.store.inbox.ready(office.world.ms + 10**9) == 0


async def test_many_false_callbacks_cost_five_reads_of_an_attempt(office: InProcessSystem) -> None:
    call = await accepted(office)
    for number in range(20):
        await call_back(office, replace(completed(call), fax_id=f"X{number}"))
    (stored,) = await office.store.dispatch.stored([JOB])
    assert stored
    assert stored.record.confirming_reads == 5
    assert len(stored.history) == 5
    office.provider.end_calls(1.0)
    await call_back(office, call.news)
    assert (await record(office)).state is State.DELIVERED
