"""Whoever is told that a hold stops a batch is told that it does not any more, and nobody else is."""

import pytest

from dispatcher.core.batch import Command
from dispatcher.store.events import START, Events
from tests.store.fixture import KEYS, StoreFixture
from tests.store.test_changes import changed

pytestmark = pytest.mark.anyio

SHA, OTHER_SHA = "ab" * 32, "cd" * 32
HELD, RELEASED = ("held", "ab"), ("released", "ab")


async def hold_words(db: StoreFixture, batch: str = "") -> list[tuple[str, str]]:
    """What a batch, or the account, has told of holds: the last word of the type, and what it is about."""
    events = (await Events(db.client, db.scripts).after(START, 10_000)).events
    return [
        (event.type.partition(".")[2], str(event.data["scope"]).removeprefix("document:")[:2])
        for event in events
        if event.batch == batch and "scope" in event.data
    ]


async def hold(db: StoreFixture, sha: str = SHA) -> None:
    await db.holds.open(f"document:{sha}", "bad_document", "broken")


async def running(db: StoreFixture, batch: str, sha: str = SHA) -> str:
    await db.running(batch, 1, documents=(sha,), content_urls=())
    return batch


async def test_a_hold_of_a_document_that_many_batches_need_ends_for_each_that_was_told(db: StoreFixture) -> None:
    """How many need it changes while it is held: drafts are created, batches are started, and others end."""
    begun = [await running(db, f"b{number}") for number in range(90)]
    await hold(db)
    for number in range(20):
        await db.draft(f"d{number}", ["+12025550100"], documents=(SHA,), content_urls=())
    late = await running(db, "late")
    await db.batches.command("d0", Command.START)
    await db.holds.release(f"document:{SHA}")
    await hold(db)
    for batch in begun[1:]:
        await db.batches.command(batch, Command.CANCEL)
    few = await running(db, "few")
    await db.holds.release(f"document:{SHA}")
    assert [await hold_words(db, batch) for batch in begun] == [[HELD, RELEASED]] * 90
    assert [await hold_words(db, batch) for batch in (late, "d0", "d1")] == [[]] * 3
    assert await hold_words(db, few) == [HELD, RELEASED]
    assert await hold_words(db) == [HELD, RELEASED] * 2
    assert await db.client.exists(KEYS.document_told(SHA)) == 0


async def test_a_batch_that_ends_is_held_no_more_before_it_is_finished(db: StoreFixture) -> None:
    ends, stays = await running(db, "a"), await running(db, "b")
    await hold(db)
    await db.batches.command(ends, Command.CANCEL)
    await db.holds.release(f"document:{SHA}")
    assert await hold_words(db, ends) == await hold_words(db, stays) == [HELD, RELEASED]
    types = [
        event.type for event in (await Events(db.client, db.scripts).after(START, 99)).events if event.batch == ends
    ]
    assert types == ["batch.started", "batch.held", "batch.released", "batch.finished"]


async def test_a_batch_that_leaves_a_held_document_is_held_no_more(db: StoreFixture) -> None:
    """It is told again if it comes back, and the batch that is no other's last one ends the hold itself."""
    batch, other = await running(db, "a"), await running(db, "b")
    await running(db, "c", OTHER_SHA)
    for sha in (SHA, OTHER_SHA):
        await hold(db, sha)
    for documents in ((OTHER_SHA,), (SHA, OTHER_SHA), (SHA,)):
        await changed(db, batch, documents=documents)
    await db.batches.command(other, Command.CANCEL)
    await changed(db, batch, documents=(OTHER_SHA,))
    others = ("held", "cd"), ("released", "cd")
    assert await hold_words(db, batch) == [HELD, others[0], RELEASED, HELD, others[1], others[0], RELEASED]
    assert await hold_words(db) == [HELD, ("held", "cd"), RELEASED]
    await db.holds.release(f"document:{OTHER_SHA}")
    assert (await hold_words(db, batch))[-1] == ("released", "cd")


async def test_a_hold_in_the_place_of_another_one_ends_that(db: StoreFixture) -> None:
    """One that waits for a person takes the place of one that a probe may end."""
    await db.holds.open("provider", "provider_failing", "why", probes_s=(60.0,))
    await db.holds.open("provider", "lists_fail", "another")
    events = (await Events(db.client, db.scripts).after(START, 99)).events
    assert [(event.type.value, event.data["category"]) for event in events] == [
        ("account.held", "provider_failing"),
        ("account.released", "provider_failing"),
        ("account.held", "lists_fail"),
    ]


async def test_a_key_that_cannot_be_used_keeps_no_hold_from_its_end(db: StoreFixture) -> None:
    """Events are lost then, and not the mail that waits."""
    await running(db, "a")
    await db.client.set(KEYS.document_told(SHA), "no set")
    await hold(db)
    await running(db, "b")
    assert await db.holds.release(f"document:{SHA}")
    assert await hold_words(db) == [HELD, RELEASED]
