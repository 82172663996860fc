"""Numbers and ids at and beyond the sizes that were thought to be enough."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from dispatcher.core.job import JobId, State
from dispatcher.core.outcome import Accepted, SendOutcome, Unclear
from dispatcher.sinch.order import FaxOrder
from dispatcher.sinch.wire import AttemptLabels
from dispatcher.store import codec
from tests.service.fake_provider import FaultyProvider
from tests.service.system import FaultySystem
from tests.store.fixture import KEYS, StoreFixture

pytestmark = pytest.mark.anyio

ROWS = 6
#: the answers to the first sends: the job goes on by a callback, by a look-up that finds it, or after one that does not
ANSWERS: dict[str, Callable[[FaultyProvider], None]] = {
    "accepted": lambda provider: None,
    "unclear and taken": lambda provider: setattr(provider, "takes_unclear", True),
    "unclear and lost": lambda provider: setattr(provider, "takes_unclear", False),
}


async def with_attempts(db: StoreFixture, batch: str, attempts: int) -> None:
    """Jobs whose numbers of attempts were used up by missed slots and refusals."""
    for row in range(ROWS):
        raw = codec.encode_record(replace(await db.record(JobId(batch, row)), attempt=attempts))
        await db.client.setrange(KEYS.of_block(batch, "records", 0), row * codec.WIDTH, raw)


async def deliver_all(system: FaultySystem) -> None:
    """Every job by exactly one fax."""
    for _ in range(60):
        await system.work(1, 2_000)
        if {record.state for record in await system.records()} == {State.DELIVERED}:
            break
    assert sorted(call.job for call in system.provider.calls) == [f"a.{row}" for row in range(ROWS)]


@pytest.mark.parametrize(("first", "attempts"), [*((first, 65_535) for first in ANSWERS), ("accepted", 2**32 - 10)])
async def test_attempts_beyond_65535_are_followed_like_any_other(
    system: FaultySystem, first: str, attempts: int
) -> None:
    """Their callbacks, look-ups and repeats find them."""
    await system.db.running("a", ROWS)
    await with_attempts(system.db, "a", attempts)
    provider = system.provider
    ANSWERS[first](provider)
    provider.refusal = lambda order: (
        Unclear(reason="no answer")
        if first != "accepted" and AttemptLabels.read(order.labels).attempt == attempts + 1
        else None
    )
    await deliver_all(system)
    lost = first == "unclear and lost"
    assert {record.attempt for record in await system.records()} == {attempts + 1 + lost}
    assert {call.attempt for call in provider.calls} == {attempts + 1 + lost}


@pytest.mark.parametrize("length", [31, 200])
async def test_fax_ids_of_any_length_are_kept_whole(system: FaultySystem, length: int) -> None:
    """The provider's have 26 characters, and UUIDs have 36."""
    await system.db.running("a", ROWS)
    provider = system.provider

    def answer(order: FaxOrder) -> SendOutcome | None:
        call = provider._take(order)
        call.id = f"{call.id}{'x' * (length - len(call.id))}"
        return Accepted(update=call.fax_update)

    provider.refusal = answer
    await deliver_all(system)
    records = await system.records()
    assert {record.fax_id for record in records} == {call.id for call in provider.calls}
    assert {len(record.fax_id) for record in records} == {length}
    stored = await system.store.dispatch.stored([JobId("a", row) for row in range(ROWS)])
    assert [entry.record for entry in stored if entry] == records
    assert {record.state for record in records} == {State.DELIVERED}


async def test_a_block_costs_the_same_however_many_long_ids_other_blocks_have(system: FaultySystem) -> None:
    """Counted in what Redis sends for it."""
    db = system.db
    await db.running("a", ROWS)

    async def sent_bytes() -> int:
        before = (await db.client.info("stats"))["total_net_output_bytes"]
        await system.store.batches.records("a", 0)
        await system.store.dispatch.stored([JobId("a", 1)])
        return int((await db.client.info("stats"))["total_net_output_bytes"]) - int(before)

    alone = await sent_bytes()
    for block in range(1, 20):
        ids = {str(block * 1000 + row): "x" * 200 for row in range(1000)}
        await db.client.hset(KEYS.of_block("a", "long_ids", block), mapping=ids)
    assert abs(await sent_bytes() - alone) < 1_000
