"""The account's write epoch: what moves it, and what a script does on a server that has lost writes."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any

import pytest

from dispatcher.core.batch import Definition
from dispatcher.core.job import JobId
from dispatcher.core.suppressions import Suppression, SuppressionSource
from dispatcher.core.webhooks import Endpoint
from dispatcher.store import lua
from dispatcher.store.documents import Documents
from dispatcher.store.epoch import WriteEpoch
from dispatcher.store.errors import StoreRolledBack
from dispatcher.store.inbox import Inbox
from dispatcher.store.lua import Argument, Option, Scripts
from dispatcher.store.rollback import ROLLED_BACK, Resumed, Rollbacks
from dispatcher.store.webhooks import Webhooks
from tests.store.fixture import KEYS, START_MS, StoreFixture, dump, open_store, restore, save, text_with_clock
from tests.store.random_history import RandomHistory

pytestmark = pytest.mark.anyio

MINUTES_10 = 600_000


class Recording(Scripts):
    """Keeps the last arguments of every verb."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.arguments: dict[str, tuple[Sequence[Argument], Mapping[str, Option]]] = {}

    async def move(
        self, verb: str, values: Sequence[Argument], options: Mapping[str, Option], *, wait_s: float = 0.0
    ) -> Any:
        self.arguments[verb] = (values, options)
        return await super().move(verb, values, options, wait_s=wait_s)


def another(db: StoreFixture) -> Scripts:
    """The scripts of another process."""
    return Scripts(db.client, KEYS, text_with_clock)


async def epoch_of(db: StoreFixture) -> int:
    return int(await db.client.hget(KEYS.epoch, "write_epoch") or 0)


async def test_every_script_of_begin_settle_accept_and_inbox_moves_it_by_one(redis_url: str) -> None:
    """And with a higher one than its own it changes nothing at all, whatever it was asked for."""
    async with open_store(redis_url, Recording) as db:
        await RandomHistory(db, 7).live(80)
        scripts = db.scripts
        assert isinstance(scripts, Recording)
        inbox = Inbox(db.client, scripts)
        await inbox.add([b"{}"])
        await inbox.defer(b"{}", db.ms)
        assert await inbox.take_deferred(1, 1_000) == [b"{}"]
        await scripts.run("move_epoch")
        await db.batches.create(Definition(id="z", name="z", created_ms=1))
        await db.batches.fix_selection("z", {0: b"1"})
        await db.batches.cancel_jobs("z", [0], "why")
        await db.batches.continue_batch("z")
        await db.suppressions.put([Suppression(number="+12025550100", source=SuppressionSource.MANUAL)])
        await db.suppressions.remove(["+12025550100"])
        documents = Documents(db.client, scripts, 100)
        sha256 = (await documents.put(b"%PDF", "letter", 1)).sha256
        await documents.put(b"%PDF", "letter", 1)
        await documents.delete(sha256)
        webhooks = Webhooks(db.client, scripts)
        await webhooks.put(Endpoint(id="we_1", url="https://example.com/"))
        await webhooks.remove("we_1")
        assert set(scripts.arguments) - lua._LOOKING == lua._MOVING
        for verb, (values, options) in scripts.arguments.items():
            before, epoch = await dump(db.client), await epoch_of(db)
            answer, _ = await scripts._call(verb, values, {**options, "seen_epoch": 10**9}, 0)
            assert answer[:2] == [b"rolled_back", epoch], verb
            assert (await dump(db.client), await epoch_of(db)) == (before, epoch), verb
            answer, _ = await scripts._call(verb, values, {**options, "seen_epoch": epoch}, 0)
            assert answer[0] == b"done", verb
            moved = verb in lua._MOVING and answer[4] is not None
            assert await epoch_of(db) == answer[1] == epoch + moved, verb


async def test_a_claim_that_leases_nothing_only_looks_at_it(db: StoreFixture) -> None:
    """A scheduler with nothing to do writes nothing, and is the first to notice."""
    await db.workers.beat("worker", "first", room=100)
    before = await dump(db.client)
    assert await db.claim() is None
    assert (await dump(db.client), await epoch_of(db)) == (before, 0)
    db.scripts.epoch.see(1)
    with pytest.raises(StoreRolledBack):
        await db.claim()


async def test_taking_deferred_callbacks_when_none_is_due_only_looks_at_it(db: StoreFixture) -> None:
    inbox = Inbox(db.client, db.scripts)
    await inbox.defer(b"{}", db.ms + 500)
    before, epoch = await dump(db.client), await epoch_of(db)
    assert await inbox.take_deferred(10, 60_000) == []
    assert (await dump(db.client), await epoch_of(db)) == (before, epoch)


async def test_deferred_callbacks_of_a_server_that_has_lost_writes_are_left_alone(db: StoreFixture) -> None:
    """Neither kept nor taken by a call that sees the loss; the next one works."""
    inbox = Inbox(db.client, db.scripts)
    await inbox.defer(b"first", db.ms)
    before = await dump(db.client)
    for lossy in (partial(inbox.defer, b"second", db.ms), partial(inbox.take_deferred, 10, 60_000)):
        db.scripts.epoch.see(await epoch_of(db) + 10)
        with pytest.raises(StoreRolledBack):
            await lossy()
        assert (await dump(db.client))[KEYS.inbox_deferred] == before[KEYS.inbox_deferred]
    assert await inbox.take_deferred(10, 60_000) == [b"first"]


async def test_a_process_is_given_what_another_one_has_moved(db: StoreFixture) -> None:
    other = another(db)
    for scripts in (db.scripts, other, other, db.scripts):
        await scripts.run("move_epoch")
    assert (db.scripts.epoch.highest, other.epoch.highest) == (4, 3)


async def test_lost_writes_hold_the_account_and_the_next_call_works(db: StoreFixture) -> None:
    """The hold has no probe; everything but sending goes on; and who lost nothing hears of it with its next call."""
    await db.running("a", 5)
    saved, other = await save(db.client), another(db)
    written_ms = db.ms
    await other.run("move_epoch")
    await db.pass_ms(5_000)
    begun = await db.sending()
    assert begun.still_valid()
    await restore(db.client, saved)
    with pytest.raises(StoreRolledBack, match="Redis has lost writes: its epoch is 3, and 6 was seen before"):
        await db.claim()
    (hold,) = await db.holds.all()
    assert (hold.scope, hold.category, hold.probe_at_ms) == ("account", ROLLED_BACK, 0)
    assert not begun.still_valid()
    assert (await db.batches.create(Definition(id="b", name="b", created_ms=1))) == "created"
    assert await db.claim() is None, "nothing is leased while the account is held"
    rollback = await Rollbacks(db.client, db.scripts).last()
    assert rollback is not None
    assert (rollback.found_epoch, rollback.seen_epoch, rollback.noticed_ms) == (3, 6, db.ms)
    assert rollback.since_ms == written_ms - MINUTES_10
    assert other.epoch.losses == 0
    await other.run("move_epoch")
    assert other.epoch.losses == 1, "it has seen no higher epoch, and still drops its slots"


async def test_the_time_since_when_is_that_of_the_epoch_that_is_left(db: StoreFixture) -> None:
    """Somebody who has seen little may have written since; then the process that notices knows the time better."""
    saved, behind = await save(db.client), another(db)
    await db.scripts.run("move_epoch")
    seen_ms = db.ms
    for _ in range(9):
        await db.pass_ms(10_000)
        await db.scripts.run("move_epoch")
    await restore(db.client, saved)
    await behind.run("move_epoch")
    with pytest.raises(StoreRolledBack):
        await db.scripts.run("move_epoch")
    rollback = await Rollbacks(db.client, db.scripts).last()
    assert rollback is not None
    assert rollback.since_ms == seen_ms - MINUTES_10


@pytest.mark.parametrize("probes_s", [(1.0,), ()], ids=["probed", "by hand"])
async def test_it_takes_the_place_of_any_other_hold_of_the_account(
    db: StoreFixture, probes_s: tuple[float, ...]
) -> None:
    """Its probe, or whoever releases it, must not end this one."""
    await db.holds.open("account", "config", "a bad project", probes_s=probes_s)
    await Rollbacks(db.client, db.scripts).report_attempt(JobId("a", 1), 2, 0)
    (hold,) = await db.holds.all()
    assert (hold.category, hold.probe_at_ms) == (ROLLED_BACK, 0)
    assert "attempt 2 of job a.1" in hold.cause


async def test_an_attempt_that_is_not_in_the_record_is_reported_once(db: StoreFixture) -> None:
    """Later ones only move the time since when back, and what was read since then is read again."""
    rollbacks = Rollbacks(db.client, db.scripts)
    await db.scripts.run("move_epoch")
    begun_losses = db.scripts.epoch.losses
    assert await rollbacks.report_attempt(JobId("a", 1), 2, START_MS - 5_000)
    await db.scripts.run("move_epoch")
    assert db.scripts.epoch.losses == begun_losses + 1
    first = await rollbacks.last()
    assert first is not None
    assert first.since_ms == START_MS - 5_000 - MINUTES_10
    await rollbacks.listed(first, START_MS, all_of_them=True)
    assert not await rollbacks.report_attempt(JobId("a", 2), 1, START_MS)
    assert await rollbacks.last() != first
    assert not await rollbacks.report_attempt(JobId("a", 3), 1, START_MS - 9_000)
    again = await rollbacks.last()
    assert again is not None
    assert (again.since_ms, again.listed_ms, again.reconciled_ms) == (START_MS - 9_000 - MINUTES_10, 0, 0)


@pytest.mark.parametrize("accepted_first", [True, False])
async def test_sending_goes_on_when_it_is_reconciled_and_accepted(db: StoreFixture, accepted_first: bool) -> None:
    rollbacks = Rollbacks(db.client, db.scripts)
    assert await rollbacks.accept() is Resumed.NONE
    await rollbacks.report_attempt(JobId("a", 1), 2, 0)
    rollback = await rollbacks.last()
    assert rollback is not None
    steps: list[Callable[[], Awaitable[Resumed]]] = [
        rollbacks.accept,
        partial(rollbacks.listed, rollback, db.ms, all_of_them=True),
    ]
    if not accepted_first:
        steps.reverse()
    assert await rollbacks.listed(rollback, db.ms - 5, all_of_them=False) is Resumed.OPEN
    assert await steps[0]() is Resumed.OPEN
    assert [hold.category for hold in await db.holds.all()] == [ROLLED_BACK]
    assert await steps[1]() is Resumed.RESUMED
    assert await db.holds.all() == []
    assert await rollbacks.accept() is Resumed.NONE


async def test_what_was_accepted_of_one_loss_is_not_accepted_of_the_next(db: StoreFixture) -> None:
    """Nor counts a list that was read for the one before."""
    rollbacks, saved = Rollbacks(db.client, db.scripts), await save(db.client)
    await rollbacks.report_attempt(JobId("a", 1), 2, 0)
    first = await rollbacks.last()
    assert first is not None
    await rollbacks.accept()
    await db.scripts.run("move_epoch")
    await db.pass_ms(1_000)
    await restore(db.client, saved)
    with pytest.raises(StoreRolledBack):
        await db.scripts.run("move_epoch")
    assert await rollbacks.listed(first, db.ms, all_of_them=True) is Resumed.OPEN
    second = await rollbacks.last()
    assert second is not None
    assert (second.accepted_ms, second.reconciled_ms) == (0, 0)


def test_a_process_knows_when_it_saw_which_epoch() -> None:
    epoch = WriteEpoch()
    for seen, now_ms in ((5, 1_000), (6, 1_500), (7, 2_000), (9, 60_000)):
        epoch.answered(seen, 0, now_ms)
    assert [epoch.seen_ms(seen) for seen in (4, 5, 6, 7, 8, 9, 10)] == [0, 1_000, 1_000, 2_000, 2_000, 60_000, 60_000]
    epoch.see(8)
    assert (epoch.highest, epoch.losses) == (9, 0)
    epoch.see(20)
    epoch.answered(21, 20, 61_000)
    assert (epoch.highest, epoch.losses) == (21, 1)
