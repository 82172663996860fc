"""A Redis that has lost writes in a running mailing: nobody is faxed twice, and sending waits for a person."""

import asyncio
from collections.abc import Sequence

import pytest

from dispatcher.core.job import JobId, State
from dispatcher.core.outcome import FaxStatus, FaxUpdate
from dispatcher.service.account import release_hold
from dispatcher.service.errors import ActionNotAllowed, Missing
from dispatcher.service.inbox_consumer import encode
from dispatcher.service.permits import NoPermit
from dispatcher.service.rollback import resume, view_rollback
from dispatcher.sinch.callbacks import FAX_COMPLETED, CallbackEvent
from dispatcher.sinch.errors import UnreachableError
from dispatcher.store.errors import StoreRolledBack
from dispatcher.store.rollback import ROLLED_BACK, Rollback
from tests.service.fake_provider import LIST_DELAY_MS
from tests.service.system import MAX_IN_FLIGHT, POLICY, FaultySystem
from tests.store.fixture import restore, save

pytestmark = pytest.mark.anyio

#: no more than are sent at a time
ROWS = MAX_IN_FLIGHT - 1


async def held(system: FaultySystem) -> list[str]:
    return [hold.category for hold in await system.store.holds.all()]


async def rollback(system: FaultySystem) -> Rollback:
    last = await system.store.rollbacks.last()
    assert last is not None
    return last


async def states(system: FaultySystem) -> set[State]:
    return {record.state for record in await system.records()}


async def delivered_once(system: FaultySystem) -> None:
    await system.work(20, 5_000)
    assert await states(system) == {State.DELIVERED}
    assert len(system.provider.calls) == ROWS


async def call_back(system: FaultySystem, fax_update: FaxUpdate) -> None:
    await system.store.inbox.add(
        [encode(fax_update.job, fax_update.attempt, CallbackEvent(event=FAX_COMPLETED, update=fax_update))]
    )
    await system.runtime.inbox_consumer.settle_events()


async def lose_the_sends(system: FaultySystem) -> None:
    """All jobs are leased; then they are sent, and Redis loses all of that and its memory of it."""
    await system.db.running("a", ROWS)
    due = await system.runtime.scheduler.tick()
    saved = await save(system.db.client)
    await system.db.pass_ms(50)
    for _, lease in due.leases:
        await system.runtime.sender.submit(lease)
    await system.finish()
    assert await states(system) == {State.ACCEPTED}
    await restore(system.db.client, saved)
    assert await states(system) == {State.LEASED}


async def recover(system: FaultySystem) -> None:
    """Until the provider's list has been read to its end."""
    for _ in range(100):
        pause_s = await system.runtime.recovery.step()
        await system.db.pass_ms(round(pause_s * 1000))
        if (await rollback(system)).reconciled_ms:
            return
    raise AssertionError("not reconciled")


def forget(system: FaultySystem) -> None:
    """Every process was restarted, and has seen nothing."""
    system.db.scripts.epoch.__init__()  # type: ignore[misc]  # as it is when a process starts


async def test_a_callback_of_a_send_that_was_lost_holds_the_account_and_nobody_is_faxed_twice(
    system: FaultySystem,
) -> None:
    """Even when no process remembers the epoch: the address of the callback is signed."""
    await lose_the_sends(system)
    forget(system)
    ended = system.provider.end_calls(1.0)
    await call_back(system, ended[0])
    assert await held(system) == [ROLLED_BACK]
    assert [record.state for record in await system.records()].count(State.DELIVERED) == 1
    await system.work(20, 2_000)
    assert system.provider.sends == ROWS, "the leases have ended, and nothing was sent"
    with pytest.raises(ActionNotAllowed, match="accept_rollback"):
        await resume(system.store, accept_rollback=False)
    await resume(system.store, accept_rollback=True)
    await system.work(20, 2_000)
    assert system.provider.sends == ROWS, "accepted, and not reconciled yet"
    await recover(system)
    assert (await rollback(system)).adopted == ROWS
    assert await held(system) == []
    await delivered_once(system)
    assert system.provider.sends == ROWS


async def test_a_process_that_has_seen_a_higher_epoch_holds_the_account_at_its_next_call(
    system: FaultySystem,
) -> None:
    await lose_the_sends(system)
    with pytest.raises(StoreRolledBack):
        await system.runtime.scheduler.tick()
    assert await held(system) == [ROLLED_BACK]
    await system.work(3)
    await recover(system)
    assert (await rollback(system)).adopted == ROWS
    await system.work(20, 2_000)
    assert (system.provider.sends, await held(system)) == (ROWS, [ROLLED_BACK]), "it waits for a person"
    await resume(system.store, accept_rollback=True)
    assert await held(system) == []
    await delivered_once(system)
    assert system.provider.sends == ROWS


async def test_a_restored_copy_is_noticed_by_the_labels_when_a_scheduler_starts(system: FaultySystem) -> None:
    await lose_the_sends(system)
    forget(system)
    await system.db.pass_ms(LIST_DELAY_MS)
    await system.runtime.recovery.look_back()
    assert await held(system) == [ROLLED_BACK]
    assert await states(system) == {State.ACCEPTED}


async def test_a_restored_copy_is_noticed_when_the_provider_answers_at_last(
    system: FaultySystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    await lose_the_sends(system)
    forget(system)
    await system.db.pass_ms(LIST_DELAY_MS)
    recovery, is_held = system.runtime.recovery, asyncio.Event()
    newest, looks = recovery._faxes.newest, 0

    async def failing_first(from_ms: int, to_ms: int) -> Sequence[FaxUpdate]:
        nonlocal looks
        looks += 1
        if looks == 1:
            raise UnreachableError("the provider does not answer")
        if looks == 2:
            raise NoPermit
        return await newest(from_ms, to_ms)

    async def no_step() -> float:
        if await held(system):
            is_held.set()
        return 0.0

    monkeypatch.setattr(recovery._faxes, "newest", failing_first)
    monkeypatch.setattr(recovery, "step", no_step)
    running = asyncio.create_task(recovery.run())
    async with asyncio.timeout(30):
        await is_held.wait()
    running.cancel()
    assert (await held(system), looks) == ([ROLLED_BACK], 3)


async def test_an_epoch_above_that_of_redis_is_enough(system: FaultySystem) -> None:
    """The record knows of the attempt, by a begin that came after the loss; the label is of one before it."""
    await system.db.running("a", 1)
    await system.begin_due()
    await system.finish()
    (call,) = system.provider.calls
    call.write_epoch += 1_000
    await system.db.pass_ms(LIST_DELAY_MS)
    await system.runtime.recovery.look_back()
    assert await held(system) == [ROLLED_BACK]
    assert (await rollback(system)).seen_epoch == call.write_epoch


async def test_a_scheduler_that_starts_and_finds_all_as_it_was_holds_nothing(system: FaultySystem) -> None:
    await system.work(0)
    await system.runtime.recovery.look_back()
    await system.db.running("a", ROWS)
    await system.work(5)
    forget(system)
    await system.db.pass_ms(LIST_DELAY_MS)
    await system.runtime.recovery.look_back()
    assert await held(system) == []


async def test_a_number_that_was_given_again_holds_the_account_with_its_second_fax(system: FaultySystem) -> None:
    """Every process is new, no callback comes, and attempt 1 is sent again as attempt 1: nothing was there to know it
    by. The list shows both, they are counted, and no more is sent."""
    await lose_the_sends(system)
    forget(system)
    before = system.provider.sends
    for _ in range(20):
        await system.begin_due()
        await system.finish()
        await system.db.pass_ms(2_000)
    twice = system.provider.sends - before
    assert 0 < twice <= ROWS
    await system.runtime.recovery.look_back()
    assert await held(system) == [ROLLED_BACK]
    await recover(system)
    assert (await rollback(system)).accepted_twice == twice
    assert (await system.store.metric_totals.all())["lost_writes", "accepted_twice"] == twice
    await system.work(20, 2_000)
    assert system.provider.sends == before + twice


async def test_a_slot_of_a_begin_that_was_lost_is_not_used(system: FaultySystem) -> None:
    """The slot is granted; then another send of this process meets a Redis that knows nothing of it."""
    await system.db.running("a", ROWS)
    due = await system.runtime.scheduler.tick()
    saved = await save(system.db.client)
    real = system.store.dispatch.begin

    async def begin_and_lose(*args: object, **options: object) -> object:
        answer = await real(*args, **options)  # type: ignore[arg-type]  # whatever the sender asks for
        await restore(system.db.client, saved)
        with pytest.raises(StoreRolledBack):
            await system.store.inbox.add([b"{}"])
        return answer

    system.store.dispatch.begin = begin_and_lose  # type: ignore[method-assign, assignment]  # as above
    for _, lease in due.leases:
        await system.runtime.sender.submit(lease)
    await system.finish()
    assert system.provider.sends == 0
    assert await held(system) == [ROLLED_BACK]


async def test_faxes_of_jobs_that_are_gone_are_listed(system: FaultySystem) -> None:
    """A batch that was accepted and lost; a fax that somebody else sent is none of our business."""
    saved = await save(system.db.client)
    await system.db.running("a", ROWS)
    await system.work(1)
    system.provider.calls[0].job = "somebody else's"
    await restore(system.db.client, saved)
    with pytest.raises(StoreRolledBack):
        await system.runtime.scheduler.tick()
    await recover(system)
    view = await view_rollback(system.store, POLICY)
    assert view is not None
    assert view.rollback.unknown == ROWS - 1
    assert [(fax.job, fax.attempt) for fax in view.unknown] == [(f"a.{row}", 1) for row in range(1, ROWS)]


async def test_a_fax_from_before_the_time_that_was_read_moves_it_back(system: FaultySystem) -> None:
    """The margin before the oldest fax that was lost is always read too."""
    await system.store.rollbacks.report_attempt(JobId("z", 0), 1, 0)
    since_ms = (await rollback(system)).since_ms
    await system.db.running("a", 1)
    fax_update = FaxUpdate(
        fax_id="F9", status=FaxStatus.UNFINISHED, job="a.0", attempt=3, created_ms=since_ms + 1_000, to="+12015550100"
    )
    await call_back(system, fax_update)
    assert (await rollback(system)).since_ms == since_ms + 1_000 - 600_000
    (record,) = await system.records()
    assert (record.state, record.attempt, record.fax_id) == (State.ACCEPTED, 3, "F9")


async def test_a_list_that_cannot_be_read_counts_for_nothing(system: FaultySystem) -> None:
    await lose_the_sends(system)
    with pytest.raises(StoreRolledBack):
        await system.runtime.scheduler.tick()
    await resume(system.store, accept_rollback=True)

    async def fail(*args: object, **options: object) -> object:
        raise ConnectionError("no list")

    listing, system.provider.list_page = system.provider.list_page, fail  # type: ignore[method-assign, assignment]
    for _ in range(50):
        with pytest.raises(ConnectionError):
            await system.runtime.recovery.step()
        await system.db.pass_ms(1_000)
    assert await held(system) == [ROLLED_BACK]
    system.provider.list_page = listing  # type: ignore[method-assign]  # works again
    await recover(system)
    assert await held(system) == []
    await delivered_once(system)


async def test_a_hold_of_lost_writes_is_not_released_like_others(system: FaultySystem) -> None:
    with pytest.raises(Missing):
        await resume(system.store, accept_rollback=True)
    await system.store.rollbacks.report_attempt(JobId("z", 0), 1, 0)
    with pytest.raises(ActionNotAllowed, match="bulkfax account resume"):
        await release_hold(system.store, "account")
    assert await held(system) == [ROLLED_BACK]


async def test_a_begin_that_no_replica_has_is_a_missed_slot(system: FaultySystem) -> None:
    """This server has no replica at all. Nothing is sent, nothing is spent, and it goes on when there is one."""
    await system.db.running("a", ROWS)
    system.db.scripts._replicas = 1
    await system.work(2)
    assert system.provider.sends == 0
    totals = await system.store.metric_totals.all()
    assert totals["attempts", "missed_slot"] >= ROWS
    assert {
        (record.state, record.counters.tries, record.counters.server_errors) for record in await system.records()
    } == {(State.WAITING, 0, 0)}
    system.db.scripts._replicas = 0
    await delivered_once(system)
