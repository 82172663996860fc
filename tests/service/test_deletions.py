"""Deleted batches and documents: what is removed, in which steps, and what others see of it meanwhile."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from dispatcher.core.batch import Command
from dispatcher.core.job import State
from dispatcher.core.job_filter import JobFilter
from dispatcher.core.outcome import FaxStatus, FaxUpdate
from dispatcher.core.policy.policy import Policy
from dispatcher.service.deletions import Retention, delete_batch, delete_document
from dispatcher.service.errors import ActionNotAllowed, Deleted, InvalidInput, Missing, Repeated
from dispatcher.service.inbox_consumer import encode
from dispatcher.service.jobs import list_jobs, list_refused, show_job
from dispatcher.service.lookup import look_up
from dispatcher.service.mailings import Mailings
from dispatcher.service.report import report
from dispatcher.service.uploads import open_upload
from dispatcher.service.views import newest_batches, view_batch
from dispatcher.sinch.callbacks import FAX_COMPLETED, CallbackEvent
from dispatcher.store import keys
from dispatcher.store.store import Store
from tests.service.samples import add, definition, end_jobs, recipients, refusals, rerun_of, running
from tests.service.system import FaultySystem, open_system
from tests.store.fixture import KEYS, dump, number

pytestmark = pytest.mark.anyio

DAY_MS = 86_400_000
FAILED = JobFilter(states=frozenset({State.FAILED}))
_ROW = re.compile(r"^(\S+) +(?:string|hash|set|zset|list|stream)  ", re.MULTILINE)
#: the keys of batches and documents that ``keys.py`` names
FAMILIES = [name for name in _ROW.findall(keys.__doc__ or "") if name.startswith("batch:<id>")]


async def fine() -> None:
    """The provider takes our key."""


@pytest.fixture
def mailings(store: Store) -> Mailings:
    return Mailings(store, fine, 100, b"key")


async def ended(store: Store, rows: int = 3, state: State = State.FAILED, **more: object) -> str:
    batch = await running(store, rows, **more)
    await end_jobs(store, batch, dict.fromkeys(range(rows), (state, "busy")), why="busy")
    return batch


async def cancelled(store: Store, rows: int) -> str:
    batch = await running(store, rows)
    await store.batches.command(batch, Command.CANCEL)
    return batch


async def remove_all(store: Store) -> list[tuple[int, int]]:
    """Remove the keys of all deleted batches; returns the rows of each step, and the batches that are left."""
    steps = []
    while await store.deletions.under_way():
        step = await store.deletions.remove_rows()
        steps.append((step.rows, step.left))
    return steps


async def keys_with(store: Store, text: str) -> set[str]:
    return {name.decode() async for name in store._client.scan_iter(match=f"*{text}*", count=1000)}


def test_the_parts_of_a_batch_are_those_of_the_table() -> None:
    named = {"batch:<id>", "batch:<id>:parked:<country>"}
    named |= {f"batch:<id>:{part}" for part in keys.BATCH_PARTS}
    named |= {f"batch:<id>:{part}:<n>" for part in keys.BLOCK_PARTS}
    assert named == set(FAMILIES)


async def test_no_key_of_a_deleted_batch_is_left(store: Store) -> None:
    """Every kind of key is there, those too that a batch which has ended should not have."""
    document = await store.documents.put(b"%PDF-1.7", "letter", 1)
    batch = await ended(store, documents=(document.sha256,))
    other = await ended(store)
    client = store._client
    for family in FAMILIES:
        name = KEYS.prefix + family.replace("<id>", batch).replace("<n>", "0").replace("<country>", "US")
        if family == "batch:<id>:parked":
            await client.sadd(name, "US")
        elif not await client.exists(name):
            await client.set(name, "x")
    await client.sadd(KEYS.stopped_batches("country:US"), batch, other)
    await client.sadd(KEYS.stopped_batches(f"batch:{batch}"), batch)
    kept = await keys_with(store, other)
    await delete_batch(store, batch)
    await remove_all(store)
    assert await keys_with(store, batch) <= {KEYS.sent_sketch(batch)}
    everything = await dump(client)
    for name in (KEYS.deleted, KEYS.sent_sketch(batch), KEYS.dead_calls, KEYS.events):
        everything.pop(name, None)
    assert batch not in str(everything)
    assert await keys_with(store, other) == kept
    assert (await view_batch(store, other)).overview.rows == 3


async def test_what_only_a_sending_batch_has_goes_too(system: FaultySystem) -> None:
    """Leases, locks, histories, long ids, holds and callbacks come and go on the way of real sends."""
    await system.db.running("a", 5)
    await system.work(20, 5_000)
    await delete_batch(system.store, "a")
    await system.work(5, 61_000)
    left = {name: value for name, value in (await dump(system.db.client)).items() if "a." in str(value) or ":a" in name}
    assert set(left) <= {KEYS.deleted, KEYS.totals, KEYS.limiter, KEYS.answered, KEYS.sent_sketch("a")}
    totals = await system.db.client.hgetall(KEYS.totals)
    assert {name: int(jobs) for name, jobs in totals.items() if name.startswith(b"jobs|") and int(jobs)} == {}


async def test_a_batch_is_deleted_once_it_has_ended(store: Store, mailings: Mailings) -> None:
    view = await mailings.create(definition(), "key")
    with pytest.raises(ActionNotAllowed, match="is draft: cancel it first"):
        await delete_batch(store, view.id)
    live = await running(store, 2)
    with pytest.raises(ActionNotAllowed, match="have not ended: cancel it first"):
        await delete_batch(store, live)
    await store.batches.command(live, Command.CANCEL)
    assert [await delete_batch(store, live) for _ in range(2)] == [True, False]
    for call in (view_batch(store, live), show_job(store, f"{live}.0"), report(store, live)):
        with pytest.raises(Deleted, match=f"batch {live} was deleted"):
            await call
    assert [await delete_batch(store, missing) for missing in ("nothere", "no:id")] == [False, False]
    assert [view.id for view in (await newest_batches(store, 10)).views] == [view.id]
    await remove_all(store)
    with pytest.raises(Deleted):
        await view_batch(store, live)


async def test_a_cancelled_batch_whose_calls_run_is_kept_until_they_end(system: FaultySystem) -> None:
    await system.db.running("a", 3)
    await system.begin_due()
    await system.finish()
    await system.store.batches.command("a", Command.CANCEL)
    with pytest.raises(ActionNotAllowed, match="its calls have ended"):
        await delete_batch(system.store, "a")
    await system.work(20, 5_000)
    await delete_batch(system.store, "a")


async def test_steps_are_bounded_and_go_on_wherever_they_stopped(store: Store) -> None:
    """Each call removes 1,000 rows at most, and leaves what the next one begins with."""
    batches = [await cancelled(store, rows) for rows in (2_300, 700, *[1] * 60)]
    for batch in batches:
        await delete_batch(store, batch)
    steps = await remove_all(store)
    assert max(rows for rows, _ in steps) <= 1000
    assert steps[-1][1] == 0
    assert len(steps) < 10
    for batch in batches:
        assert await keys_with(store, batch) <= {KEYS.sent_sketch(batch)}


async def test_damaged_data_stops_no_deletion(store: Store) -> None:
    batch, other = await ended(store), await ended(store)
    client = store._client
    for part in ("counts", "parked", "records:0"):
        await client.delete(KEYS.of_batch(batch, part))
        await client.lpush(KEYS.of_batch(batch, part), "x")
    await client.hset(KEYS.batch(batch), mapping={"definition": "{", "blocks": "?"})
    await client.delete(KEYS.of_batch(batch, "counts"))
    await delete_batch(store, batch)
    await delete_batch(store, other)
    await remove_all(store)
    assert await keys_with(store, other) <= {KEYS.sent_sketch(other)}
    assert not await client.exists(KEYS.batch(batch))


async def test_a_key_of_a_deleted_batch_creates_no_other(store: Store, mailings: Mailings) -> None:
    """Whoever repeats a request whose batch is gone must not fax its recipients again."""
    fax = recipients(1)[0]
    sent = await mailings.fax(definition(), fax, "fax")
    await end_jobs(store, sent.id.batch, {0: (State.DELIVERED, "")})
    created = await mailings.create(definition(), "batch")
    await store.batches.command(created.id, Command.CANCEL)
    calls: list[Callable[[], Awaitable[Any]]] = [
        lambda: mailings.fax(definition(), fax, "fax"),
        lambda: mailings.create(definition(), "batch"),
    ]
    for batch in (sent.id.batch, created.id):
        await delete_batch(store, batch)
    for call in calls:
        with pytest.raises(Deleted, match="use a new key"):
            await call()
    await remove_all(store)
    for call in calls:
        with pytest.raises(Deleted, match="use a new key"):
            await call()
    with pytest.raises(Repeated, match=f"as batch {sent.id.batch}"):
        await mailings.fax(definition(), fax, "another")


async def test_its_jobs_are_not_in_the_index_of_all_jobs(store: Store, mailings: Mailings) -> None:
    """Neither while its keys are removed nor afterwards; those of its neighbours are."""
    batches = [await mailing(store, mailings, f"mailing {name}") for name in range(3)]
    job_filter = JobFilter(numbers=frozenset({recipients(1)[0].number}))
    assert len((await look_up(store, job_filter, after="", limit=10)).jobs) == 3
    await store.batches.command(batches[1], Command.CANCEL)
    await delete_batch(store, batches[1])
    for _ in range(2):
        jobs = (await look_up(store, job_filter, after="", limit=10)).jobs
        assert [job.id.batch for job in jobs] == [batches[2], batches[0]]
        await remove_all(store)
    assert (await store.lookup_index.piece(1)).count(bytes(20 * 8)) == 1


async def mailing(store: Store, mailings: Mailings, name: str) -> str:
    batch = (await mailings.create(definition(name), None)).id
    upload = await open_upload(store, batch, "list")
    await add(upload, recipients(20), refusals(21))
    await upload.finish()
    return batch


async def test_a_mailing_that_was_deleted_is_not_repeated_by_accident(store: Store, mailings: Mailings) -> None:
    first = await mailing(store, mailings, "March")
    await mailings.command(first, Command.START)
    await end_jobs(store, first, dict.fromkeys(range(20), (State.FAILED, "busy")))
    rerun = await rerun_of(mailings, first, FAILED, key=None, start=False)
    await delete_batch(store, first)
    await remove_all(store)
    second = await mailing(store, mailings, "March again")
    with pytest.raises(Repeated, match=f"batch {first} .*it was deleted since then"):
        await mailings.command(second, Command.START)
    assert (await view_batch(store, rerun.id)).deleted == {first}


async def test_a_rerun_of_a_batch_that_is_deleted_meanwhile_is_refused_whole(
    store: Store, mailings: Mailings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its recipients would be missing without a word."""
    parent = await ended(store, 1_200)
    read = store.batches.recipients

    async def deleted_first(batch: str, block: int) -> Any:
        await delete_batch(store, parent)
        await remove_all(store)
        return await read(batch, block)

    monkeypatch.setattr(store.batches, "recipients", deleted_first)
    with pytest.raises(Deleted, match="deleted meanwhile"):
        await rerun_of(mailings, parent, FAILED, key=None)
    assert not await store.batches.open_drafts()


async def test_reports_and_pages_of_a_batch_that_is_deleted_break_off(store: Store, mailings: Mailings) -> None:
    batch = await cancelled(store, 2_500)
    pieces = await report(store, batch)
    await anext(pieces)
    assert (await anext(pieces)).count(b"\n") == 1000
    await delete_batch(store, batch)
    with pytest.raises(Deleted):
        async for _ in pieces:
            pass
    calls = (
        list_jobs(store, batch, JobFilter(), after=-1, limit=10),
        list_refused(store, batch, after=-1, limit=10),
        show_job(store, f"{batch}.0"),
    )
    for call in calls:
        with pytest.raises(Deleted):
            await call


@pytest.mark.parametrize("removed", [False, True])
async def test_a_callback_of_a_deleted_batch_stores_nothing(system: FaultySystem, removed: bool) -> None:
    await system.db.running("a", 1)
    await system.work(20, 5_000)
    (record,) = await system.records()
    await delete_batch(system.store, "a")
    if removed:
        await remove_all(system.store)
    update = FaxUpdate(fax_id=record.fax_id, job="a.0", attempt=record.attempt, status=FaxStatus.FAILURE)
    before = await keys_with(system.store, "")
    await system.store.inbox.add([encode("a.0", record.attempt, CallbackEvent(event=FAX_COMPLETED, update=update))])
    await system.runtime.inbox_consumer.settle_events()
    assert await keys_with(system.store, "") - {KEYS.inbox} <= before
    await remove_all(system.store)
    assert not await keys_with(system.store, "batch:a")


class TestDocuments:
    async def test_a_document_goes_when_no_batch_needs_it(self, store: Store, mailings: Mailings) -> None:
        info = await store.documents.put(b"%PDF-1.7", "letter", 1)
        order = definition(documents=(info.sha256,), content_urls=())
        drafts = [(await mailings.create(order, None)).id for _ in range(12)]
        with pytest.raises(ActionNotAllowed, match=r"12 batches that did not end need this document: .*, \.\.\."):
            await delete_document(store, info.sha256)
        for batch in drafts:
            await store.batches.command(batch, Command.CANCEL)
        assert await delete_document(store, info.sha256)
        assert not await keys_with(store, info.sha256)
        assert not await delete_document(store, info.sha256)
        with pytest.raises(InvalidInput, match="upload it first"):
            await mailings.create(order, None)
        assert (await store.documents.put(b"%PDF-1.7", "letter", 1)).sha256 == info.sha256

    async def test_a_document_that_is_deleted_during_a_create_is_missed(
        self, store: Store, mailings: Mailings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        info = await store.documents.put(b"%PDF-1.7", "letter", 1)
        create = store.batches.create

        async def late(*args: Any, **more: Any) -> Any:
            await delete_document(store, info.sha256)
            return await create(*args, **more)

        monkeypatch.setattr(store.batches, "create", late)
        with pytest.raises(InvalidInput, match="deleted meanwhile: upload it again"):
            await mailings.create(definition(documents=(info.sha256,), content_urls=()), None)
        assert not await store.batches.open_drafts()

    async def test_a_document_of_jobs_that_end_is_needed_by_nobody(self, store: Store) -> None:
        info = await store.documents.put(b"%PDF-1.7", "letter", 1)
        batch = await running(store, 2, documents=(info.sha256,))
        with pytest.raises(ActionNotAllowed, match=f"1 batch that did not end need this document: {batch}"):
            await delete_document(store, info.sha256)
        await end_jobs(store, batch, {0: (State.DELIVERED, ""), 1: (State.DELIVERED, "")})
        await delete_document(store, info.sha256)


@pytest.fixture
async def kept(redis_url: str) -> AsyncIterator[FaultySystem]:
    """A system with the default policy."""
    async with open_system(redis_url, Policy()) as opened:
        yield opened


async def pass_days(system: FaultySystem, days: float, *, ticks: int = 6) -> None:
    for _ in range(ticks):
        await system.db.pass_ms(round(days * DAY_MS / ticks))
        await system.runtime.scheduler.tick()


class TestRetention:
    async def test_an_ended_batch_goes_after_ninety_days_and_a_running_one_stays(self, kept: FaultySystem) -> None:
        store = kept.store
        document = await store.documents.put(b"%PDF-1.7", "letter", 1)
        await kept.db.client.zadd(KEYS.documents_used, {document.sha256: kept.db.ms})
        await kept.db.running("a", 2, documents=(document.sha256,), content_urls=())
        await kept.db.draft("d", [number(7)])
        await kept.work(20, 60_000)
        await store.batches.command("d", Command.CANCEL)
        await kept.db.running("b", 1, first=5, documents=(document.sha256,), content_urls=())
        await store.batches.command("b", Command.PAUSE)
        await pass_days(kept, 89.9)
        assert (await view_batch(store, "a")).overview.finished_ms
        await pass_days(kept, 1.1)
        for batch in ("a", "d"):
            with pytest.raises(Deleted):
                await view_batch(store, batch)
            assert await keys_with(store, f"batch:{batch}") == set()
        assert (await view_batch(store, "b")).overview.rows == 1
        assert await store.documents.info(document.sha256)
        await store.batches.command("b", Command.CANCEL)
        await pass_days(kept, 89.9)
        assert await store.documents.info(document.sha256)
        await pass_days(kept, 1.1)
        assert await store.documents.info(document.sha256) is None
        await pass_days(kept, 29)
        assert not await kept.db.client.exists(KEYS.deleted)
        with pytest.raises(Missing, match="there is no batch a"):
            await view_batch(store, "a")

    async def test_never_is_never(self, redis_url: str) -> None:
        async with open_system(redis_url, Policy(keep_batches_s=None, keep_documents_s=None)) as system:
            await system.store.documents.put(b"%PDF-1.7", "letter", 1)
            await system.db.draft("a", [number(7)])
            await system.store.batches.command("a", Command.CANCEL)
            await pass_days(system, 9_000)
            assert (await view_batch(system.store, "a")).overview.rows == 1
            assert len(await system.store.audit.documents()) == 1

    async def test_batches_that_have_not_ended_stand_in_nobodys_way(self, kept: FaultySystem) -> None:
        """More of them than are looked at in a turn, all older than what is due."""
        for index in range(210):
            await kept.db.draft(f"live{index}", [number(index)])
            await kept.store.batches.command(f"live{index}", Command.START)
            await kept.store.batches.command(f"live{index}", Command.PAUSE)
        for index in range(30):
            await kept.db.draft(f"old{index}", [number(index)])
            await kept.store.batches.command(f"old{index}", Command.CANCEL)
        await pass_days(kept, 91)
        for _ in range(6):
            await kept.runtime.scheduler.tick()
            await kept.db.pass_ms(11_000)
        assert await kept.db.client.zcard(KEYS.batches) == 210

    async def test_nothing_is_deleted_soon_after_a_step_of_the_clock(self, kept: FaultySystem) -> None:
        await kept.db.draft("a", [number(7)])
        await kept.store.batches.command("a", Command.CANCEL)
        await kept.runtime.scheduler.tick()
        await kept.db.step_s(100 * 86_400)
        await kept.runtime.scheduler.tick()
        assert (await view_batch(kept.store, "a")).overview.rows == 1

    async def test_a_turn_is_short(self, store: Store) -> None:
        """What is deleted at a time is bounded by steps, and by time if steps take long."""
        for _ in range(3):
            await delete_batch(store, await cancelled(store, 1_100))
        seconds = iter(range(1000))
        await Retention(store, Policy(), lambda: float(next(seconds))).remove()
        assert await store.deletions.under_way() == 3
        await Retention(store, Policy(), lambda: 0.0).remove()
        assert not await store.deletions.under_way()


async def test_a_process_that_is_killed_in_a_deletion_leaves_it_to_the_next(store: Store) -> None:
    """After any number of steps, another process removes the rest; what the epoch says does not matter to it."""
    for steps in range(4):
        batch = await cancelled(store, 2_100)
        await delete_batch(store, batch)
        for _ in range(steps):
            await store.deletions.remove_rows()
        with pytest.raises(Deleted):
            await view_batch(store, batch)
        await Retention(store, Policy(), lambda: 0.0).remove()
        assert await keys_with(store, batch) <= {KEYS.sent_sketch(batch)}
