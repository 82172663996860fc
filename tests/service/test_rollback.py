"""A Redis that has lost writes in a running mailing: nobody is faxed twice, and sending waits for a person."""

import pytest

from dispatcher.core.job import JobId, State
from dispatcher.core.outcome import FaxStatus, FaxUpdate
from dispatcher.service.account import release_hold
from dispatcher.service.errors import ActionNotAllowed, Missing
from dispatcher.service.inbox_consumer import encode
from dispatcher.service.rollback import resume, view_rollback
from dispatcher.sinch.callbacks import FAX_COMPLETED, CallbackEvent
from dispatcher.store.errors import StoreRolledBack
from dispatcher.store.rollback import ROLLED_BACK, Rollback
from tests.service.fake_provider import LIST_DELAY_MS, MAX_IN_FLIGHT, POLICY
from tests.service.system import InProcessSystem
from tests.store.fixture import restore, save

pytestmark = pytest.mark.anyio

#: no more than are sent at a time
ROWS = MAX_IN_FLIGHT - 1


async def held(office: InProcessSystem) -> list[str]:
    return [hold.category for hold in await office.store.holds.all()]


async def rollback(office: InProcessSystem) -> Rollback:
    found = await office.store.rollbacks.last()
    assert found is not None
    return found


async def states(office: InProcessSystem) -> set[State]:
    return {record.state for record in await office.records()}


async def delivered_once(office: InProcessSystem) -> None:
    await office.work(20, 5_000)
    assert await states(office) == {State.DELIVERED}
    assert len(office.provider.calls) == ROWS


async def call_back(office: InProcessSystem, news: FaxUpdate) -> None:
    await office.store.inbox.add([encode(news.job, news.attempt, CallbackEvent(event=FAX_COMPLETED, news=news))])
    await office.room.news.settle_events()


async def lose_the_sends(office: InProcessSystem) -> None:
    """All jobs are leased; then they are sent, and Redis loses all of that and its memory of it."""
    await office.world.running("a", ROWS)
    due = await office.room.upkeep.tick()
    saved = await save(office.world.client)
    await office.world.pass_ms(50)
    for _, lease in due.leases:
        await office.room.sender.submit(lease)
    await office.room.rest()
    assert await states(office) == {State.ACCEPTED}
    await restore(office.world.client, saved)
    assert await states(office) == {State.LEASED}


async def recover(office: InProcessSystem) -> None:
    """Until the provider's list has been read to its end."""
    for _ in range(100):
        pause_s = await office.room.recovery.step()
        await office.world.pass_ms(round(pause_s * 1000))
        if (await rollback(office)).reconciled_ms:
            return
    raise AssertionError("not reconciled")


def forget(office: InProcessSystem) -> None:
    """Every process was restarted, and has seen nothing."""
    office.world.scripts.epoch.__init__()  # type: ignore[misc]  # as it is when a process starts


async def test_a_callback_of_a_send_that_was_lost_holds_the_account_and_nobody_is_faxed_twice(
    office: InProcessSystem,
) -> None:
    """Even when no process remembers the epoch: the address of the callback is signed."""
    await lose_the_sends(office)
    forget(office)
    ended = office.provider.end_calls(1.0)
    await call_back(office, ended[0])
    assert await held(office) == [ROLLED_BACK]
    assert [record.state for record in await office.records()].count(State.DELIVERED) == 1
    await office.work(20, 2_000)
    assert office.provider.sends == ROWS, "the leases have ended, and nothing was sent"
    with pytest.raises(ActionNotAllowed, match="accept_rollback"):
        await resume(office.store, accept_rollback=False)
    await resume(office.store, accept_rollback=True)
    await office.work(20, 2_000)
    assert office.provider.sends == ROWS, "accepted, and not reconciled yet"
    await recover(office)
    assert (await rollback(office)).adopted == ROWS
    assert await held(office) == []
    await delivered_once(office)
    assert office.provider.sends == ROWS


async def test_a_process_that_has_seen_a_higher_epoch_holds_the_account_at_its_next_call(
    office: InProcessSystem,
) -> None:
    await lose_the_sends(office)
    with pytest.raises(StoreRolledBack):
        await office.room.upkeep.tick()
    assert await held(office) == [ROLLED_BACK]
    await office.work(3)
    await recover(office)
    assert (await rollback(office)).adopted == ROWS
    await office.work(20, 2_000)
    assert (office.provider.sends, await held(office)) == (ROWS, [ROLLED_BACK]), "it waits for a person"
    await resume(office.store, accept_rollback=True)
    assert await held(office) == []
    await delivered_once(office)
    assert office.provider.sends == ROWS


async def test_a_restored_copy_is_noticed_by_the_labels_when_a_scheduler_starts(office: InProcessSystem) -> None:
    await lose_the_sends(office)
    forget(office)
    await office.world.pass_ms(LIST_DELAY_MS)
    await office.room.recovery.look_back()
    assert await held(office) == [ROLLED_BACK]
    assert await states(office) == {State.ACCEPTED}


async def test_an_epoch_above_that_of_redis_is_enough(office: InProcessSystem) -> None:
    """The record knows of the attempt, by a begin that came after the loss; the label is of one before it."""
    await office.world.running("a", 1)
    await office.room.work()
    await office.room.rest()
    (call,) = office.provider.calls
    call.write_epoch += 1_000
    await office.world.pass_ms(LIST_DELAY_MS)
    await office.room.recovery.look_back()
    assert await held(office) == [ROLLED_BACK]
    assert (await rollback(office)).seen_epoch == call.write_epoch


async def test_a_scheduler_that_starts_and_finds_all_as_it_was_holds_nothing(office: InProcessSystem) -> None:
    await office.work(0)
    await office.room.recovery.look_back()
    await office.world.running("a", ROWS)
    await office.work(5)
    forget(office)
    await office.world.pass_ms(LIST_DELAY_MS)
    await office.room.recovery.look_back()
    assert await held(office) == []


async def test_a_number_that_was_given_again_holds_the_account_with_its_second_fax(office: InProcessSystem) -> None:
    """Every process is new, no callback comes, and attempt 1 is sent again as attempt 1: nothing was there to know it
    by. The list shows both, they are counted, and no more is sent."""
    await lose_the_sends(office)
    forget(office)
    before = office.provider.sends
    for _ in range(20):
        await office.room.work()
        await office.room.rest()
        await office.world.pass_ms(2_000)
    twice = office.provider.sends - before
    assert 0 < twice <= ROWS
    await office.room.recovery.look_back()
    assert await held(office) == [ROLLED_BACK]
    await recover(office)
    assert (await rollback(office)).accepted_twice == twice
    assert (await office.store.metric_totals.all())["lost_writes", "accepted_twice"] == twice
    await office.work(20, 2_000)
    assert office.provider.sends == before + twice


async def test_a_slot_of_a_begin_that_was_lost_is_not_used(office: InProcessSystem) -> None:
    """The slot is granted; then another send of this process meets a Redis that knows nothing of it."""
    await office.world.running("a", ROWS)
    due = await office.room.upkeep.tick()
    saved = await save(office.world.client)
    real = office.store.dispatch.begin

    async def begin_and_lose(*args: object, **options: object) -> object:
        answer = await real(*args, **options)  # type: ignore[arg-type]  # whatever the sender asks for
        await restore(office.world.client, saved)
        with pytest.raises(StoreRolledBack):
            await office.store.inbox.add([b"{}"])
        return answer

    office.store.dispatch.begin = begin_and_lose  # type: ignore[method-assign, assignment]  # as above
    for _, lease in due.leases:
        await office.room.sender.submit(lease)
    await office.room.rest()
    assert office.provider.sends == 0
    assert await held(office) == [ROLLED_BACK]


async def test_faxes_of_jobs_that_are_gone_are_listed(office: InProcessSystem) -> None:
    """A batch that was accepted and lost; a fax that somebody else sent is none of our business."""
    saved = await save(office.world.client)
    await office.world.running("a", ROWS)
    await office.work(1)
    office.provider.calls[0].job = "somebody else's"
    await restore(office.world.client, saved)
    with pytest.raises(StoreRolledBack):
        await office.room.upkeep.tick()
    await recover(office)
    view = await view_rollback(office.store, POLICY)
    assert view is not None
    assert view.rollback.unknown == ROWS - 1
    assert [(fax.job, fax.attempt) for fax in view.unknown] == [(f"a.{row}", 1) for row in range(1, ROWS)]


async def test_a_fax_from_before_the_time_that_was_read_moves_it_back(office: InProcessSystem) -> None:
    """The margin before the oldest fax that was lost is always read too."""
    await office.store.rollbacks.report_attempt(JobId("z", 0), 1, 0)
    since_ms = (await rollback(office)).since_ms
    await office.world.running("a", 1)
    news = FaxUpdate(
        fax_id="F9", status=FaxStatus.UNFINISHED, job="a.0", attempt=3, created_ms=since_ms + 1_000, to="+12015550100"
    )
    await call_back(office, news)
    assert (await rollback(office)).since_ms == since_ms + 1_000 - 600_000
    (record,) = await office.records()
    assert (record.state, record.attempt, record.fax_id) == (State.ACCEPTED, 3, "F9")


async def test_a_list_that_cannot_be_read_counts_for_nothing(office: InProcessSystem) -> None:
    await lose_the_sends(office)
    with pytest.raises(StoreRolledBack):
        await office.room.upkeep.tick()
    await resume(office.store, accept_rollback=True)

    async def fail(*args: object, **options: object) -> object:
        raise ConnectionError("no list")

    listing, office.provider.list_page = office.provider.list_page, fail  # type: ignore[method-assign, assignment]
    for _ in range(50):
        with pytest.raises(ConnectionError):
            await office.room.recovery.step()
        await office.world.pass_ms(1_000)
    assert await held(office) == [ROLLED_BACK]
    office.provider.list_page = listing  # type: ignore[method-assign]  # works again
    await recover(office)
    assert await held(office) == []
    await delivered_once(office)


async def test_a_hold_of_lost_writes_is_not_released_like_others(office: InProcessSystem) -> None:
    with pytest.raises(Missing):
        await resume(office.store, accept_rollback=True)
    await office.store.rollbacks.report_attempt(JobId("z", 0), 1, 0)
    with pytest.raises(ActionNotAllowed, match="bulkfax account resume"):
        await release_hold(office.store, "account")
    assert await held(office) == [ROLLED_BACK]


async def test_a_begin_that_no_replica_has_is_a_missed_slot(office: InProcessSystem) -> None:
    """This server has no replica at all. Nothing is sent, nothing is spent, and it goes on when there is one."""
    await office.world.running("a", ROWS)
    office.world.scripts._replicas = 1
    await office.work(2)
    assert office.provider.sends == 0
    totals = await office.store.metric_totals.all()
    assert totals["attempts", "missed_slot"] >= ROWS
    assert {(record.state, record.tries, record.server_errors) for record in await office.records()} == {
        (State.WAITING, 0, 0)
    }
    office.world.scripts._replicas = 0
    await delivered_once(office)
