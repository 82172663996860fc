"""The scripts of the do-not-fax list, beyond what the random histories show."""

import pytest

from dispatcher.core.dead_numbers import PROOF_MEMORY_MS
from dispatcher.core.suppressions import Suppression, SuppressionSource
from tests.store.fixture import KEYS, StoreFixture, number, upload_chunk

pytestmark = pytest.mark.anyio

DAY_MS = 86_400_000


def entry(index: int, source: SuppressionSource = SuppressionSource.MANUAL, expires_ms: int = 0) -> Suppression:
    return Suppression(number=number(index), source=source, expires_ms=expires_ms)


async def test_only_numbers_that_count_now_are_named(db: StoreFixture) -> None:
    """More than a thousand numbers are looked up in several calls."""
    dead = entry(1, SuppressionSource.DEAD_NUMBER)
    await db.suppressions.put([entry(0), dead, entry(2, expires_ms=db.ms + 1000), entry(1500)])
    numbers = [number(index) for index in range(1600)]
    assert set(await db.suppressions.among(numbers)) == {0, 1, 2, 1500}
    assert set(await db.suppressions.among(numbers, ignore_dead_numbers=True)) == {0, 2, 1500}
    await db.pass_ms(1001)
    assert set(await db.suppressions.among(numbers)) == {0, 1, 1500}


async def test_an_edited_entry_keeps_when_it_was_added(db: StoreFixture) -> None:
    assert await db.suppressions.put([entry(0)]) == 1
    added_ms = db.ms
    await db.pass_ms(5000)
    assert await db.suppressions.put([entry(0, SuppressionSource.OPT_OUT, db.ms + DAY_MS)]) == 0
    stored = await db.suppressions.get(number(0))
    assert stored is not None
    assert (stored.added_ms, stored.source, stored.expires_ms) == (added_ms, "opt_out", db.ms + DAY_MS)


@pytest.mark.parametrize("source", [SuppressionSource.MANUAL, SuppressionSource.OPT_OUT])
async def test_an_import_and_its_removal_leave_the_entries_of_people(
    db: StoreFixture, source: SuppressionSource
) -> None:
    await db.suppressions.put([entry(0, source), entry(1, source, db.ms + 1000), entry(2, SuppressionSource.IMPORT)])
    await db.pass_ms(1001)
    imported = [entry(index, SuppressionSource.IMPORT, db.ms + DAY_MS) for index in range(4)]
    assert await db.suppressions.put(imported) == 2, "the second has expired, and the fourth is new"
    await db.suppressions.remove([number(index) for index in range(4)], source=SuppressionSource.IMPORT, batch="")
    assert set(await db.suppressions.among([number(index) for index in range(4)])) == {0}
    stored = await db.suppressions.get(number(0))
    assert stored is not None
    assert (stored.source, stored.expires_ms) == (source, 0)


async def test_what_has_expired_is_forgotten_and_a_proof_a_year_later(db: StoreFixture) -> None:
    await db.suppressions.put([entry(0, expires_ms=db.ms + 1), entry(1, SuppressionSource.DEAD_NUMBER, db.ms + 1)])
    await db.pass_ms(1000)
    assert await db.suppressions.forget() == 1
    assert await db.suppressions.get(number(1)) is not None
    await db.pass_ms(PROOF_MEMORY_MS)
    assert await db.suppressions.forget() == 1
    assert not await db.client.exists(KEYS.suppressions, KEYS.suppressed_numbers, KEYS.suppression_ends)


async def test_pages_go_through_the_whole_list_once(db: StoreFixture) -> None:
    await db.suppressions.put([entry(index) for index in range(25)])
    names, after = list[str](), ""
    while page := await db.suppressions.page(after, 10):
        names += [item.number for item in page]
        after = page[-1].number
    assert names == sorted(number(index) for index in range(25))
    assert await db.suppressions.size() == 25


@pytest.mark.parametrize("stored", [b"?", b"[]", b'{"source":"newer"}', b'{"source":"manual","expires_ms":"soon"}'])
async def test_an_entry_that_cannot_be_read_still_stops_its_number(db: StoreFixture, stored: bytes) -> None:
    """Of the list, and when a send begins; somebody can remove it."""
    await db.suppressions.put([entry(0)])
    await db.client.hset(KEYS.suppressions, number(0)[1:], stored)
    among = await db.suppressions.among([number(0)], ignore_dead_numbers=True)
    assert among[0].source is SuppressionSource.UNREADABLE
    assert await db.suppressions.remove([number(0)]) == 1
    assert await db.suppressions.among([number(0)]) == {}


async def test_a_chunk_is_stored_unchecked_only_without_a_list(db: StoreFixture) -> None:
    """So nobody has to ask whether there is one. A repeat of what is stored is still a repeat."""
    await db.draft("a", [number(0)])
    await db.suppressions.put([entry(5)])
    assert (await db.batches.add_chunk("a", upload_chunk([number(0)]))).status == "repeat"
    assert (await db.batches.add_chunk("a", upload_chunk([number(1)], upload="v"))).status == "unchecked"
    assert (await db.batches.add_chunk("a", upload_chunk([number(1)], upload="v", checked=True))).status == "stored"
