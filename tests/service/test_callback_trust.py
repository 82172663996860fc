"""Callbacks from valid addresses with false contents, as a list of attacks, with the default policy."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from dispatcher.core.job import AttemptOutcome, JobId, Recipient, Record, State
from dispatcher.core.outcome import FaxStatus, FaxUpdate, Unclear
from dispatcher.core.policy.policy import Policy
from dispatcher.service.inbox_consumer import encode
from dispatcher.sinch.callbacks import FAX_COMPLETED, CallbackEvent
from dispatcher.sinch.errors import UnreadableError
from dispatcher.store.errors import StoreError
from tests.service.fake_provider import Call
from tests.service.system import FaultySystem, InProcessSystem, open_system

pytestmark = pytest.mark.anyio

JOB = JobId("a", 0)


@pytest.fixture
async def system(redis_url: str) -> AsyncIterator[FaultySystem]:
    async with open_system(redis_url, Policy()) as opened:
        yield opened


async def work(system: FaultySystem, pass_ms: int = 0) -> None:
    await system.db.pass_ms(pass_ms)
    await system.begin_due()
    await system.finish()
    assert system.failures == []


async def call_back(system: FaultySystem, fax_update: FaxUpdate, job: JobId = JOB, attempt: int = 1) -> None:
    await system.store.inbox.add([encode(str(job), attempt, CallbackEvent(event=FAX_COMPLETED, update=fax_update))])
    await system.runtime.inbox_consumer.settle_events()


async def record(system: FaultySystem, job: JobId = JOB) -> Record:
    (stored,) = await system.store.dispatch.stored([job])
    assert stored
    return stored.record


async def counted(system: FaultySystem, result: str) -> int:
    return (await system.store.metric_totals.all()).get(("callbacks", result), 0)


async def accepted(system: FaultySystem, jobs: int = 1) -> Call:
    await system.db.running("a", jobs)
    for _ in range(jobs):
        await work(system)
    assert len(system.provider.calls) == jobs
    return next(call for call in system.provider.calls if call.job == str(JOB))


async def unclear(system: FaultySystem) -> Call:
    """The provider took the fax, and its answer was lost."""
    system.provider.takes_unclear = True
    system.provider.refusal = lambda fax: Unclear(reason="reset")
    await system.db.running("a", 1)
    await work(system)
    (call,) = system.provider.calls
    return call


def completed(call: Call) -> FaxUpdate:
    return replace(call.fax_update, status=FaxStatus.COMPLETED)


async def test_the_fax_that_the_answer_named_needs_no_read(
    system: FaultySystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = await accepted(system)

    async def no_read(fax_id: str, *, total_s: float) -> FaxUpdate | None:
        raise AssertionError("it is read")

    monkeypatch.setattr(system.provider, "fax", no_read)
    system.provider.end_calls(1.0)
    await call_back(system, call.fax_update)
    assert (await record(system)).state is State.DELIVERED
    assert await counted(system, "settled") == 1


async def test_callbacks_that_are_settled_together_read_their_rows_once(
    system: FaultySystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    await accepted(system, 5)
    read, blocks = system.store.batches.recipients, list[tuple[str, int]]()

    async def recipients(batch: str, block: int) -> tuple[Recipient, ...]:
        blocks.append((batch, block))
        return await read(batch, block)

    monkeypatch.setattr(system.store.batches, "recipients", recipients)
    ended = system.provider.end_calls(1.0)
    events = [encode(fax.job, fax.attempt, CallbackEvent(event=FAX_COMPLETED, update=fax)) for fax in ended]
    await system.store.inbox.add(events)
    fresh = InProcessSystem(system.store, system.db, system.provider, "fresh", Policy())
    assert await fresh.runtime.inbox_consumer.settle_events() == 5
    assert blocks == [("a", 0)]
    assert await counted(system, "settled") == 5


async def test_another_number(system: FaultySystem) -> None:
    call = await accepted(system)
    await call_back(system, replace(completed(call), to="+12025550199"))
    assert (await record(system)).state is State.ACCEPTED
    assert await counted(system, "mismatched") == 1


@pytest.mark.parametrize("labels", [{"job": "a.1"}, {"attempt": 2}])
async def test_labels_of_another_job_or_attempt(system: FaultySystem, labels: dict[str, object]) -> None:
    """From the receiver such a one does not come: what lies in the inbox is judged all the same."""
    call = await accepted(system)
    await call_back(system, replace(completed(call), **labels))  # type: ignore[arg-type]  # of its kind
    assert (await record(system)).state is State.ACCEPTED
    assert await counted(system, "mismatched") == 1


SHOWS_LITTLE = pytest.mark.parametrize("without", [{"to": ""}, {"job": "", "attempt": 0}, {"attempt": 0}])


@SHOWS_LITTLE
async def test_one_without_number_or_labels_is_read_and_the_read_counts(
    system: FaultySystem, without: dict[str, object]
) -> None:
    """Its fax failed, and the callback says that it arrived."""
    call = await accepted(system)
    call.status = FaxStatus.FAILURE
    await call_back(system, replace(completed(call), **without))  # type: ignore[arg-type]  # as above
    stored = await record(system)
    assert (stored.state, stored.failure.category) == (State.WAITING, "busy")


@SHOWS_LITTLE
async def test_a_true_one_without_number_or_labels_is_not_lost(
    system: FaultySystem, without: dict[str, object]
) -> None:
    """While nothing can be read it is kept; and what is read may show no more than it did."""
    call = await accepted(system)
    system.provider.end_calls(1.0)
    read, answers = system.provider.fax, [True]

    async def fax(fax_id: str, *, total_s: float) -> FaxUpdate | None:
        if answers:
            answers.clear()
            raise UnreadableError("no answer")
        fax_update = await read(fax_id, total_s=total_s)
        return fax_update and replace(fax_update, **without)  # type: ignore[arg-type]  # as above

    system.provider.fax = fax  # type: ignore[method-assign]  # shows little
    await call_back(system, replace(call.fax_update, **without))  # type: ignore[arg-type]  # as above
    assert (await record(system)).state is State.ACCEPTED
    assert await counted(system, "deferred") == 1
    await work(system, 30_000)
    assert (await record(system)).state is State.DELIVERED


async def test_false_callbacks_that_use_up_the_reads_do_not_cost_the_true_one(system: FaultySystem) -> None:
    """The answer to the POST was lost. It waits until the fax is named, by the search or by the end of it."""
    call = await unclear(system)
    await system.db.pass_ms(21_000)
    for number in range(5):
        await call_back(system, replace(completed(call), fax_id=f"X{number}"))
    system.provider.end_calls(1.0)
    await call_back(system, call.fax_update)
    stored = await record(system)
    assert (stored.state, stored.confirming_reads) == (State.SENDING, 5)
    assert await counted(system, "unconfirmed") == 0
    for _ in range(10):
        await work(system, 5_000)
    assert (await record(system)).state is State.DELIVERED


async def test_a_deferred_one_that_cannot_be_settled_is_set_aside(system: FaultySystem) -> None:
    """It keeps no other back, is counted and reported, and can be tried again."""
    call = await accepted(system)
    system.provider.end_calls(1.0)
    inbox = system.store.inbox
    await inbox.defer(b"no JSON", system.db.ms)
    await inbox.defer(encode(str(JOB), 1, CallbackEvent(event=FAX_COMPLETED, update=call.fax_update)), system.db.ms)
    await system.runtime.inbox_consumer.settle_events()
    assert (await record(system)).state is State.DELIVERED
    assert [event.event for event in await inbox.failed()] == [b"no JSON"]
    assert await counted(system, "failed") == 1
    assert await inbox.ready(system.db.ms + 10**9) == 0
    assert await inbox.retry_failed() == 1
    assert await inbox.depth() == 1


async def test_a_deferred_one_that_the_store_cannot_settle_now_comes_again(
    system: FaultySystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = await accepted(system)
    event = encode(str(JOB), 1, CallbackEvent(event=FAX_COMPLETED, update=call.fax_update))
    await system.store.inbox.defer(event, system.db.ms)

    async def away(*_: object, **__: object) -> None:
        raise StoreError("away")

    with monkeypatch.context() as patch:
        patch.setattr(system.runtime.inbox_consumer._settler, "settle", away)
        with pytest.raises(StoreError):
            await system.runtime.inbox_consumer.settle_events()
    assert await system.store.inbox.failed() == []
    assert await system.store.inbox.ready(system.db.ms) == 0
    assert await system.store.inbox.ready(system.db.ms + 60_000) == 1


async def test_a_foreign_fax_of_somebody_else_in_the_account(system: FaultySystem) -> None:
    call = await accepted(system)
    foreign = Call(id="X1", to=call.to, job="", attempt=0, created_ms=call.created_ms, status=FaxStatus.COMPLETED)
    system.provider.calls.append(foreign)
    await call_back(system, replace(completed(call), fax_id="X1"))
    assert (await record(system)).state is State.ACCEPTED
    assert await counted(system, "mismatched") == 1


async def test_the_fax_of_another_job(system: FaultySystem) -> None:
    call = await accepted(system, 2)
    other = next(candidate for candidate in system.provider.calls if candidate.job != call.job)
    other.status = FaxStatus.COMPLETED
    await call_back(system, replace(completed(call), fax_id=other.id))
    assert (await record(system)).state is State.ACCEPTED
    assert await counted(system, "mismatched") == 1


@pytest.mark.parametrize(
    ("status", "state"), [(FaxStatus.UNFINISHED, State.ACCEPTED), (FaxStatus.FAILURE, State.WAITING)]
)
async def test_completed_for_a_fax_that_is_not(system: FaultySystem, status: FaxStatus, state: State) -> None:
    """The answer to the POST was lost: what is read counts, and not what is called back."""
    call = await unclear(system)
    call.status = status
    await system.db.pass_ms(21_000)
    await call_back(system, completed(call))
    assert (await record(system)).state is state


async def test_before_the_answer_to_the_post_nothing_is_believed(system: FaultySystem) -> None:
    call = await unclear(system)
    await call_back(system, completed(call))
    assert (await record(system)).state is State.SENDING
    assert await counted(system, "deferred") == 1
    assert await system.store.inbox.depth() == 0


async def test_a_callback_makes_up_for_a_lost_answer_once_its_fax_was_read(system: FaultySystem) -> None:
    """It waits for the answer until the send deadline, and is stored meanwhile."""
    call = await unclear(system)
    system.provider.end_calls(1.0)
    await call_back(system, call.fax_update)
    for _ in range(21):
        assert (await record(system)).state is State.SENDING
        await work(system, 1_000)
    assert (await record(system)).state is State.DELIVERED
    assert await system.store.inbox.ready(system.db.ms + 10**9) == 0


async def test_a_process_that_stops_leaves_what_it_cannot_read_to_another(system: FaultySystem) -> None:
    call = await accepted(system)
    system.provider.end_calls(1.0)
    await system.store.inbox.add(
        [encode(str(JOB), 1, CallbackEvent(event=FAX_COMPLETED, update=replace(call.fax_update, to="")))]
    )
    system.runtime.permits.close()
    await system.runtime.inbox_consumer.settle_events()
    assert (await record(system)).state is State.ACCEPTED
    assert await counted(system, "deferred") == 0
    other = InProcessSystem(system.store, system.db, system.provider, "other", Policy())
    await other.runtime.inbox_consumer.settle_events()
    assert (await record(system)).state is State.DELIVERED


async def test_a_fax_that_the_provider_does_not_know_is_neither_confirmed_nor_refuted(system: FaultySystem) -> None:
    """It is asked for five times over the search period; then the callback is in the history and changes nothing."""
    call = await accepted(system)
    asked = []
    read = system.provider.fax

    async def fax(fax_id: str, *, total_s: float) -> FaxUpdate | None:
        asked.append(fax_id)
        return await read(fax_id, total_s=total_s)

    system.provider.fax = fax  # type: ignore[method-assign]  # counted
    await call_back(system, replace(completed(call), fax_id="X1"))
    for _ in range(60):
        await system.db.pass_ms(20_000)
        await system.runtime.inbox_consumer.settle_events()
    assert asked == ["X1"] * 5
    (stored,) = await system.store.dispatch.stored([JOB])
    assert stored
    assert (stored.record.state, stored.record.confirming_reads) == (State.ACCEPTED, 5)
    assert [(entry.outcome, entry.fax_id) for entry in stored.history] == [(AttemptOutcome.UNCONFIRMED_CALLBACK, "X1")]
    assert await counted(system, "unconfirmed") == 1
    assert await system.store.inbox.ready(system.db.ms + 10**9) == 0


async def test_many_false_callbacks_cost_five_reads_of_an_attempt(system: FaultySystem) -> None:
    call = await accepted(system)
    for number in range(20):
        await call_back(system, replace(completed(call), fax_id=f"X{number}"))
    (stored,) = await system.store.dispatch.stored([JOB])
    assert stored
    assert stored.record.confirming_reads == 5
    assert len(stored.history) == 5
    system.provider.end_calls(1.0)
    await call_back(system, call.fax_update)
    assert (await record(system)).state is State.DELIVERED
