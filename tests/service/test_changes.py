"""A batch is mended while it waits: no call goes out with what was wrong, and what was held for it goes on."""

from dataclasses import replace
from typing import Any

import pytest

from dispatcher.core.batch import BatchState, Command
from dispatcher.core.batch_change import BatchChange
from dispatcher.core.job import JobId, State
from dispatcher.core.options import FaxOptions
from dispatcher.core.outcome import Refused, SendOutcome
from dispatcher.service.changes import BatchChanges, ChangedBatch
from dispatcher.service.errors import ActionNotAllowed, InvalidInput, Missing, Repeated, WarningsNotAllowed
from dispatcher.service.jobs import show_job
from dispatcher.service.mailings import Allowed, Mailings
from dispatcher.sinch.order import FaxOrder
from dispatcher.store.documents import DocumentWarning
from dispatcher.store.store import Store
from tests.service.samples import URL, draft, running
from tests.service.system import FaultySystem
from tests.service.test_repeats import KEY, OTHER_URL, listed, started
from tests.store.fixture import number

pytestmark = pytest.mark.anyio

WRONG, RIGHT = "+12025550100", "+12025550101"
NOTHING = Allowed()


def sender(number: str) -> BatchChange:
    return BatchChange(options={"sender": number})


@pytest.fixture
def mailings(store: Store) -> Mailings:
    async def fine() -> None:
        """The provider takes our key."""

    return Mailings(store, fine, 1000, KEY)


@pytest.fixture
def changes(store: Store, mailings: Mailings) -> BatchChanges:
    return BatchChanges(store, mailings, KEY)


async def changed(changes: BatchChanges, batch: str, change: BatchChange, **more: Any) -> ChangedBatch:
    return await changes.change(batch, change, more.pop("allowed", NOTHING), **more)


async def fields(changes: BatchChanges, batch: str, **values: Any) -> ChangedBatch:
    return await changed(changes, batch, BatchChange(fields=values))


def refuse_wrong_sender(system: FaultySystem) -> list[str]:
    """Let the provider refuse one sender. Returns the senders of all requests, as they come."""
    senders = list[str]()

    def refusal(order: FaxOrder) -> SendOutcome | None:
        senders.append(order.options.sender)
        refused = Refused(status=422, message="from is not yours", fields=("from",))
        return refused if order.options.sender == WRONG else None

    system.provider.refusal = refusal
    return senders


async def test_a_wrong_sender_is_put_right_and_every_job_is_sent_once(system: FaultySystem) -> None:
    """The refusals that come after the change hold nothing any more."""
    senders = refuse_wrong_sender(system)
    await system.db.running("a", 20)
    await changed_to(system, sender(WRONG))
    await system.work(4, 100)
    assert [hold.category for hold in await system.store.holds.all()] == ["config"]
    before = len(senders)
    answer = await system.runtime.batch_changes.change("a", sender(RIGHT), NOTHING)
    assert [hold.scope for hold in answer.ended] == ["batch:a"]
    assert (answer.fields, answer.batch.state) == (("options.sender",), BatchState.RUNNING)
    await system.assert_all_delivered_once()
    assert set(senders[:before]) == {WRONG}
    assert set(senders[before:]) == {RIGHT}
    assert await system.store.holds.all() == []


async def changed_to(system: FaultySystem, change: BatchChange) -> ChangedBatch:
    """Change a running batch, which has to be paused for it."""
    await system.store.batches.command("a", Command.PAUSE)
    answer = await system.runtime.batch_changes.change("a", change, NOTHING)
    await system.store.batches.command("a", Command.RESUME)
    return answer


async def test_a_worker_that_knows_the_definition_of_before_sends_nothing_with_it(system: FaultySystem) -> None:
    """It has sent with it, and has leases that were made before the change. Nothing of them is spent."""
    senders = refuse_wrong_sender(system)
    await system.db.draft("a", [number(row) for row in range(30)], options=FaxOptions(sender="+12025550102"))
    await system.store.batches.command("a", Command.START, quota=3)
    await system.work(2)
    assert senders == ["+12025550102"] * 3
    await system.store.batches.continue_batch("a")
    due = await system.runtime.scheduler.tick()
    assert due.leases
    answer = await changed_to(system, sender(RIGHT))
    assert answer.sending == 0
    for _, lease in due.leases:
        await system.runtime.sender.submit(lease)
    await system.finish()
    assert len(senders) == 3
    await system.assert_all_delivered_once()
    assert set(senders[3:]) == {RIGHT}


async def test_each_attempt_names_its_version(system: FaultySystem) -> None:
    refuse_wrong_sender(system)
    await system.db.running("a", 2)
    await changed_to(system, sender(WRONG))
    await system.work(4, 100)
    story = await show_job(system.store, "a.0")
    assert {entry.attempt: story.versions[entry.attempt] for entry in story.history} == {1: 2}
    await system.runtime.batch_changes.change("a", sender(RIGHT), NOTHING)
    await system.work(200, 5_000)
    story = await show_job(system.store, "a.0")
    assert story.job.record.state is State.DELIVERED
    assert story.versions[1] == 2
    assert story.versions[story.job.record.attempt] == 3


async def test_a_refusal_of_what_was_put_right_holds_nothing(
    system: FaultySystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The request was under way at the change, and its answer comes after it."""
    await system.db.running("a", 1)
    send = system.provider.send

    async def change_before_the_answer(order: FaxOrder, **more: Any) -> SendOutcome:
        outcome = await send(order, **more)
        if order.options.sender != RIGHT:
            await changed_to(system, sender(RIGHT))
        return outcome

    system.provider.refusal = lambda order: None if order.options.sender == RIGHT else Refused(status=404)
    monkeypatch.setattr(system.provider, "send", change_before_the_answer)
    await system.begin_due()
    await system.finish()
    assert (await system.records())[0].failure.category == "config"
    assert await system.store.holds.all() == []
    await system.assert_all_delivered_once()


async def test_what_is_there_already_changes_nothing(store: Store, changes: BatchChanges) -> None:
    batch = await running(store, 2, weight=4)
    answer = await fields(changes, batch, weight=4)
    assert (answer.fields, answer.batch.definition.version) == ((), 1)


async def test_a_batch_that_is_being_sent_is_to_be_paused_first(store: Store, changes: BatchChanges) -> None:
    batch = await running(store, 2)
    with pytest.raises(ActionNotAllowed, match="pause it first"):
        await changed(changes, batch, sender(RIGHT))
    assert (await fields(changes, batch, weight=9, max_per_second=2.0)).batch.definition.weight == 9
    await store.batches.command(batch, Command.PAUSE)
    assert (await changed(changes, batch, sender(RIGHT))).batch.definition.version == 2


async def test_only_the_version_that_was_seen_is_changed(store: Store, changes: BatchChanges) -> None:
    batch = await draft(store, 2)
    await changed(changes, batch, sender(WRONG), version=1)
    with pytest.raises(ActionNotAllowed, match="has version 2 by now, not 1"):
        await changed(changes, batch, sender(RIGHT), version=1)


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"documents": (), "content_urls": ()}, "documents"),
        ({"documents": ("0" * 64,)}, "documents[0]"),
        ({"deadline_ms": 1}, "deadline"),
        ({"start_at_ms": 1}, "start_at"),
    ],
)
async def test_a_wrong_value_is_named(store: Store, changes: BatchChanges, values: dict[str, Any], field: str) -> None:
    batch = await draft(store, 2)
    with pytest.raises(InvalidInput) as refused:
        await fields(changes, batch, **values)
    assert set(refused.value.faults) == {field}


async def test_merge_fields_need_their_cover_page(store: Store, changes: BatchChanges) -> None:
    batch = await draft(store, 2)
    page = BatchChange(options={"cover_page_id": "c", "cover_page_data": {"a": "b"}})
    await changed(changes, batch, page)
    await changed(changes, batch, BatchChange(options={"cover_page_data": {"a": "c"}}))
    with pytest.raises(InvalidInput, match="cover_page_data"):
        await changed(changes, batch, BatchChange(options={"cover_page_id": ""}))


async def test_a_batch_that_does_not_exist_or_has_ended(store: Store, changes: BatchChanges) -> None:
    with pytest.raises(Missing):
        await fields(changes, "nobatch", weight=2)
    batch = await running(store, 1)
    await store.batches.command(batch, Command.CANCEL)
    with pytest.raises(ActionNotAllowed, match="has ended"):
        await fields(changes, batch, weight=2)


async def test_a_started_batch_needs_leave_for_documents_with_warnings(store: Store, changes: BatchChanges) -> None:
    warning = DocumentWarning(code="empty_page", page=1, sentence="Page 1 is empty.")
    sha256 = (await store.documents.put(b"%", "letter.pdf", 1, warnings=(warning,))).sha256
    change = BatchChange(fields={"documents": (sha256,), "content_urls": ()})
    as_draft = await draft(store, 1)
    assert (await changed(changes, as_draft, change)).batch.definition.documents == (sha256,)
    batch = await running(store, 1)
    await store.batches.command(batch, Command.PAUSE)
    with pytest.raises(WarningsNotAllowed):
        await changed(changes, batch, change)
    allowed = Allowed(warnings=True)
    assert (await changed(changes, batch, change, allowed=allowed)).batch.definition.documents == (sha256,)


async def test_a_change_is_no_second_mailing_by_accident(
    store: Store, mailings: Mailings, changes: BatchChanges
) -> None:
    """Other content to the same recipients, then the first one put right to that content."""
    batch = await started(store, mailings, 0, 50)
    await started(store, mailings, 0, 50, content_urls=(OTHER_URL,))
    await store.batches.command(batch, Command.PAUSE)
    change = BatchChange(fields={"content_urls": (OTHER_URL,)})
    with pytest.raises(Repeated, match="change this one with allow_repeat"):
        await changed(changes, batch, change)
    await changed(changes, batch, change, allowed=Allowed(repeat=True))


@pytest.mark.parametrize("is_old", [False, True])
async def test_what_a_changed_batch_sends_is_compared_with_later_ones(
    store: Store, mailings: Mailings, changes: BatchChanges, is_old: bool
) -> None:
    """The numbers of a batch that began more than a day ago are read again."""
    batch = await started(store, mailings, 0, 50)
    await store.batches.command(batch, Command.PAUSE)
    if is_old:
        await store._client.delete(store._keys.of_batch(batch, "hashes"))
    await fields(changes, batch, content_urls=(OTHER_URL,))
    again = await listed(store, 0, 50, content_urls=(OTHER_URL,))
    with pytest.raises(Repeated, match=f"batch {batch} .* to 50 of the same recipients"):
        await mailings.command(again, Command.START)


async def test_a_draft_is_started_with_what_it_was_compared_as(
    store: Store, mailings: Mailings, changes: BatchChanges, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is changed to what was sent before, just as its start has been compared."""
    await started(store, mailings, 0, 50, content_urls=(OTHER_URL,))
    batch = await listed(store, 0, 50)
    command = store.batches.command

    async def change_first(name: str, what: Command, *args: Any, **more: Any) -> Any:
        monkeypatch.setattr(store.batches, "command", command)
        await fields(changes, batch, content_urls=(OTHER_URL,))
        return await command(name, what, *args, **more)

    monkeypatch.setattr(store.batches, "command", change_first)
    with pytest.raises(Repeated):
        await mailings.command(batch, Command.START)


async def test_a_dry_run_says_what_would_end(store: Store, changes: BatchChanges) -> None:
    batch = await running(store, 2)
    await store.holds.open(f"batch:{batch}", "config", "why")
    answer = await changed(changes, batch, sender(RIGHT), is_dry_run=True)
    assert [hold.scope for hold in answer.ended] == [f"batch:{batch}"]
    assert (answer.fields, answer.batch.state) == (("options.sender",), BatchState.HELD)
    assert (await store.batches.definition(batch) or answer.batch.definition).options.sender == ""


async def test_the_document_of_before_may_be_deleted_while_a_lease_of_it_is_open(system: FaultySystem) -> None:
    """The job is sent with the new document, and is not held for the one that is missing."""
    documents = system.store.documents
    old = (await documents.put(b"%old", "old.pdf", 1)).sha256
    new = (await documents.put(b"%new", "new.pdf", 1)).sha256
    await system.db.running("a", 3, documents=(old,), content_urls=())
    due = await system.runtime.scheduler.tick()
    await changed_to(system, BatchChange(fields={"documents": (new,)}))
    await documents.delete(old)
    for _, lease in due.leases:
        await system.runtime.sender.submit(lease)
    await system.finish()
    assert await system.store.holds.all() == []
    await system.assert_all_delivered_once()


async def test_a_rerun_sends_the_latest_version(store: Store, changes: BatchChanges) -> None:
    batch = await draft(store, 1)
    await changed(changes, batch, sender(RIGHT))
    definition = await store.batches.definition(batch)
    assert definition
    assert (definition.version, definition.options.sender) == (2, RIGHT)
    versions = await store.changes.versions_of(JobId(batch, 0))
    assert versions
    assert versions.of(1) == 2
    assert replace(definition, content_urls=(URL,)) == definition
