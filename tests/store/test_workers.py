"""Which worker processes count as living."""

import pytest

from tests.store.fixture import KEYS, StoreFixture

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
async def nobody(world: StoreFixture) -> None:
    """The world's own worker has nothing to say here."""
    world.scripts.worker = str
    await world.client.delete(KEYS.workers)


async def alive(world: StoreFixture) -> dict[str, bool]:
    return {worker.name: worker.alive for worker in await world.workers.all()}


async def test_a_process_lives_from_its_registration_to_its_reported_end(world: StoreFixture) -> None:
    assert await world.workers.all() == []
    await world.workers.register("host/0", "i1", room=4)
    (worker,) = await world.workers.all()
    assert (worker.name, worker.instance, worker.room, worker.alive) == ("host/0", "i1", 4, True)
    await world.workers.report_end("host/0", "i1")
    assert await world.workers.all() == []


async def test_a_process_that_is_started_again_replaces_the_one_that_had_its_name(world: StoreFixture) -> None:
    """The end of the old one, reported late, does not end the new one; and what the old one says counts no more."""
    await world.workers.register("host/0", "i1")
    await world.workers.register("host/0", "i2", room=3)
    await world.workers.report_end("host/0", "i1")
    assert not await world.workers.beat("host/0", "i1", room=9)
    (worker,) = await world.workers.all()
    assert (worker.instance, worker.room) == ("i2", 3)
    assert await world.workers.beat("host/0", "i2")


async def test_a_process_is_dead_when_it_is_silent_for_three_seconds_while_others_speak(world: StoreFixture) -> None:
    await world.workers.register("a", "1")
    await world.workers.register("b", "1")
    for dead in (False, False, False, True):
        await world.pass_ms(1_000)
        assert await world.workers.beat("b", "1")
        assert await alive(world) == {"a": not dead, "b": True}
    assert await world.workers.beat("a", "1"), "it was only slow"
    assert await alive(world) == {"a": True, "b": True}


@pytest.mark.parametrize("gone_ms", [60_000, 300_000, -300_000], ids=["a pause", "a step", "a step back"])
async def test_nobody_is_dead_after_a_pause_of_everybody_or_a_step_of_the_clock(
    world: StoreFixture, gone_ms: int
) -> None:
    """Who speaks first after it has not made the others late."""
    await world.workers.register("a", "1")
    await world.workers.register("b", "1")
    await world.pass_ms(gone_ms)
    assert await world.workers.beat("b", "1")
    await world.pass_ms(900)
    assert await world.workers.beat("b", "1")
    assert await alive(world) == {"a": True, "b": True}
    assert await world.workers.beat("a", "1")


async def test_a_process_whose_entry_was_lost_is_known_again_by_its_next_heartbeat(world: StoreFixture) -> None:
    await world.workers.register("a", "1")
    await world.client.delete(KEYS.workers)
    assert await world.workers.beat("a", "1", room=2)
    assert [(worker.name, worker.room) for worker in await world.workers.all()] == [("a", 2)]


async def test_every_script_that_a_process_runs_is_a_heartbeat_of_it(world: StoreFixture) -> None:
    """One that is fresh is not written again, unless its room begins or ends."""
    room = 5
    await world.workers.register("a", "1")
    world.workers.speak_as("a", "1", lambda: room)
    for _ in range(8):
        await world.pass_ms(1_000)
        await world.limiter.take_permit()
        assert [(worker.silent_s, worker.room) for worker in await world.workers.all()] == [(0.0, 5)]
    room = 4
    await world.limiter.take_permit()
    assert [worker.room for worker in await world.workers.all()] == [5]
    room = 0
    await world.limiter.take_permit()
    assert [worker.room for worker in await world.workers.all()] == [0]


@pytest.mark.parametrize("name", ["", "two words", ":clock", "x" * 201])
async def test_a_name_that_the_scripts_could_not_read_is_refused(world: StoreFixture, name: str) -> None:
    with pytest.raises(ValueError, match="no spaces"):
        await world.workers.register(name, "1")


async def test_nothing_is_leased_while_no_process_lives(world: StoreFixture) -> None:
    await world.running("a", 1)
    assert await world.claim() is None
    await world.workers.register("host/0", "i1")
    assert await world.claim() is not None
    await world.workers.report_end("host/0", "i1")
    await world.running("b", 1, first=10)
    assert await world.claim() is None
