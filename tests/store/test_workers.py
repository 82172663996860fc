"""Which worker processes count as living."""

import pytest

from tests.store.fixture import KEYS, StoreFixture

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
async def nobody(db: StoreFixture) -> None:
    """The world's own worker has nothing to say here."""
    db.scripts.worker = str
    await db.client.delete(KEYS.workers)


async def alive(db: StoreFixture) -> dict[str, bool]:
    return {worker.name: worker.alive for worker in await db.workers.all()}


async def test_a_process_lives_from_its_registration_to_its_reported_end(db: StoreFixture) -> None:
    assert await db.workers.all() == []
    await db.workers.register("host/0", "i1", room=4)
    (worker,) = await db.workers.all()
    assert (worker.name, worker.instance, worker.room, worker.alive) == ("host/0", "i1", 4, True)
    await db.workers.report_end("host/0", "i1")
    assert await db.workers.all() == []


async def test_a_process_that_is_started_again_replaces_the_one_that_had_its_name(db: StoreFixture) -> None:
    """The end of the old one, reported late, does not end the new one; and what the old one says counts no more."""
    await db.workers.register("host/0", "i1")
    await db.workers.register("host/0", "i2", room=3)
    await db.workers.report_end("host/0", "i1")
    assert not await db.workers.beat("host/0", "i1", room=9)
    (worker,) = await db.workers.all()
    assert (worker.instance, worker.room) == ("i2", 3)
    assert await db.workers.beat("host/0", "i2")


async def test_a_process_is_dead_when_it_is_silent_for_three_seconds_while_others_speak(db: StoreFixture) -> None:
    await db.workers.register("a", "1")
    await db.workers.register("b", "1")
    for dead in (False, False, False, True):
        await db.pass_ms(1_000)
        assert await db.workers.beat("b", "1")
        assert await alive(db) == {"a": not dead, "b": True}
    assert await db.workers.beat("a", "1"), "it was only slow"
    assert await alive(db) == {"a": True, "b": True}


@pytest.mark.parametrize("gone_ms", [60_000, 300_000, -300_000], ids=["a pause", "a step", "a step back"])
async def test_nobody_is_dead_after_a_pause_of_everybody_or_a_step_of_the_clock(db: StoreFixture, gone_ms: int) -> None:
    """Who speaks first after it has not made the others late."""
    await db.workers.register("a", "1")
    await db.workers.register("b", "1")
    await db.pass_ms(gone_ms)
    assert await db.workers.beat("b", "1")
    await db.pass_ms(900)
    assert await db.workers.beat("b", "1")
    assert await alive(db) == {"a": True, "b": True}
    assert await db.workers.beat("a", "1")


async def test_a_process_whose_entry_was_lost_is_known_again_by_its_next_heartbeat(db: StoreFixture) -> None:
    await db.workers.register("a", "1")
    await db.client.delete(KEYS.workers)
    assert await db.workers.beat("a", "1", room=2)
    assert [(worker.name, worker.room) for worker in await db.workers.all()] == [("a", 2)]


async def test_every_script_that_a_process_runs_is_a_heartbeat_of_it(db: StoreFixture) -> None:
    """One that is fresh is not written again, unless its room begins or ends."""
    room = 5
    await db.workers.register("a", "1")
    db.workers.speak_as("a", "1", lambda: room)
    for _ in range(8):
        await db.pass_ms(1_000)
        await db.limiter.take_permit()
        assert [(worker.silent_s, worker.room) for worker in await db.workers.all()] == [(0.0, 5)]
    room = 4
    await db.limiter.take_permit()
    assert [worker.room for worker in await db.workers.all()] == [5]
    room = 0
    await db.limiter.take_permit()
    assert [worker.room for worker in await db.workers.all()] == [0]


@pytest.mark.parametrize("name", ["", "two words", ":clock", "x" * 201])
async def test_a_name_that_the_scripts_could_not_read_is_refused(db: StoreFixture, name: str) -> None:
    with pytest.raises(ValueError, match="no spaces"):
        await db.workers.register(name, "1")


async def test_nothing_is_leased_while_no_process_lives(db: StoreFixture) -> None:
    await db.running("a", 1)
    assert await db.claim() is None
    await db.workers.register("host/0", "i1")
    assert await db.claim() is not None
    await db.workers.report_end("host/0", "i1")
    await db.running("b", 1, first=10)
    assert await db.claim() is None
