"""Jobs of all batches by number and reference, on a real Redis."""

from dataclasses import replace

import pytest

from dispatcher.core.batch import Command
from dispatcher.core.job import JobId, Recipient, State
from dispatcher.core.job_filter import JobFilter
from dispatcher.service import lookup
from dispatcher.service.errors import InvalidInput
from dispatcher.service.lookup import look_up
from dispatcher.service.uploads import open_upload
from dispatcher.store.keys import Keys
from dispatcher.store.store import Store
from tests.service.samples import add, draft, end_jobs, number, recipients

pytestmark = pytest.mark.anyio


async def uploaded(store: Store, rows: list[Recipient]) -> str:
    batch = await draft(store)
    upload = await open_upload(store, batch, "k")
    await add(upload, rows, [])
    await upload.finish()
    return batch


async def ids(store: Store, query: JobFilter, limit: int = 100) -> list[JobId]:
    """All that is found, page by page."""
    job_ids: list[JobId] = []
    after = ""
    while True:
        page = await look_up(store, query, after=after, limit=limit)
        job_ids += [job.id for job in page.jobs]
        after = page.cursor
        if not after:
            return job_ids


@pytest.mark.parametrize("limit", [1, 2, 100])
async def test_a_number_is_found_in_every_batch_newest_first(store: Store, limit: int) -> None:
    batches = [await uploaded(store, recipients(3, first)) for first in (0, 1, 2)]
    query = JobFilter(numbers=frozenset({number(2)}))
    assert await ids(store, query, limit) == [JobId(batches[2], 0), JobId(batches[1], 1), JobId(batches[0], 2)]


async def test_a_reference_is_found_in_lists_of_many_chunks(store: Store) -> None:
    batch = await uploaded(store, recipients(2_500))
    assert await ids(store, JobFilter(references=frozenset({"r2345"}))) == [JobId(batch, 2345)]
    assert await ids(store, JobFilter(references=frozenset({"r2345"}), numbers=frozenset({number(1)}))) == []
    assert await ids(store, JobFilter(references=frozenset({"r9999"}))) == []


async def test_a_double_row_of_a_list_is_no_job(store: Store) -> None:
    first, *_ = recipients(1)
    batch = await uploaded(store, [first, first._replace(line=2)])
    assert await ids(store, JobFilter(numbers=frozenset({first.number}))) == [JobId(batch, 0)]


async def test_state_and_time_choose_among_them(store: Store) -> None:
    batch = await uploaded(store, [row._replace(reference="same") for row in recipients(3)])
    await store.batches.command(batch, Command.START)
    await end_jobs(store, batch, {1: (State.FAILED, "busy")})
    query = JobFilter(references=frozenset({"same"}), states=frozenset({State.FAILED}))
    assert await ids(store, query) == [JobId(batch, 1)]
    assert await ids(store, replace(query, since_ms=1)) == [JobId(batch, 1)]
    assert await ids(store, replace(query, since_ms=4_000_000_000_000)) == []


async def test_batches_that_are_gone_or_damaged_hide_no_other(store: Store) -> None:
    batches = [await uploaded(store, recipients(1)) for _ in range(3)]
    keys = Keys()
    await store._client.delete(keys.of_block(batches[2], "records", 0), keys.batch(batches[2]))
    await store._client.set(keys.of_block(batches[1], "records", 0), b"rubbish")
    assert await ids(store, JobFilter(numbers=frozenset({number(0)}))) == [JobId(batches[0], 0)]


async def test_pieces_end_and_older_ones_with_them(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    batch = await uploaded(store, recipients(1))
    keys, client = Keys(), store._client
    assert await client.pttl(keys.lookup_piece(1)) > 89 * 86_400_000
    await client.set(keys.lookup, 3)
    later = await uploaded(store, recipients(1))
    query = JobFilter(numbers=frozenset({number(0)}))
    assert await ids(store, query) == [JobId(later, 0)]
    await client.copy(keys.lookup_piece(1), keys.lookup_piece(2))
    monkeypatch.setattr(lookup, "_LONGEST_S", 0)
    assert await ids(store, query) == [JobId(later, 0), JobId(batch, 0), JobId(batch, 0)]


async def test_a_megabyte_begins_a_new_piece(store: Store) -> None:
    await store._client.set(Keys().lookup, 7)
    await store._client.set(Keys().lookup_piece(7), b"x" * 1_000_000)
    batch = await uploaded(store, recipients(1))
    again = await uploaded(store, recipients(1))
    assert await store.lookup_index.last_piece() == 8
    assert await ids(store, JobFilter(numbers=frozenset({number(0)}))) == [JobId(again, 0)]
    assert batch


@pytest.mark.parametrize("cursor", ["x", "1", "1-", "-1", "1-x", "1.0", "1-1-1", "9" * 16 + "-0", "١-0"])
async def test_a_cursor_of_somebody_else_is_refused(store: Store, cursor: str) -> None:
    with pytest.raises(InvalidInput):
        await look_up(store, JobFilter(references=frozenset({"r"})), after=cursor, limit=1)


async def test_a_cursor_far_away_finds_nothing_at_once(store: Store) -> None:
    page = await look_up(store, JobFilter(references=frozenset({"r"})), after=f"{10**14}-5", limit=1)
    assert page == lookup.LookupPage(jobs=(), cursor="")
