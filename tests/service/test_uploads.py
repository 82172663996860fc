"""Recipients on their way into a draft."""

import pytest

from dispatcher.core.batch import Command
from dispatcher.core.job import Recipient, RefusedRow
from dispatcher.service.errors import ActionNotAllowed, Conflict, Missing
from dispatcher.service.uploads import SAMPLE_ROWS, Upload, UploadAnswer, open_upload
from dispatcher.store.store import Store
from tests.service.samples import add, draft, recipients, refusals

pytestmark = pytest.mark.anyio


async def send(
    store: Store, batch: str, accepted: list[Recipient], refused: list[RefusedRow] | None = None, key: str = "k"
) -> UploadAnswer:
    upload = await open_upload(store, batch, key)
    await add(upload, accepted, refused or [])
    return await upload.finish()


async def test_every_line_is_accounted_for(store: Store) -> None:
    batch = await draft(store)
    twice = Recipient(line=5, number=recipients(1)[0].number)
    answer = await send(store, batch, [*recipients(3), twice], refusals(4, 6))
    assert (answer.lines, answer.accepted, answer.duplicates, answer.refused) == (6, 3, 1, 2)
    assert [row.line for row in answer.sample] == [4, 6]


async def test_a_part_is_stored_as_soon_as_it_has_a_thousand_recipients(store: Store) -> None:
    batch = await draft(store)
    upload = await open_upload(store, batch, "k")
    async with upload:
        await add(upload, recipients(2_999), [])
    assert upload.lines_done == 2_000
    assert [len(await store.batches.recipients(batch, block)) for block in range(3)] == [1000, 1000, 0]
    await upload.finish()
    assert len(await store.batches.recipients(batch, 2)) == 999


async def test_an_upload_that_breaks_off_waits_for_the_part_that_is_being_stored(store: Store) -> None:
    upload = await open_upload(store, await draft(store), "k")
    with pytest.raises(BrokenPipeError):
        await broken_off(upload)
    assert upload.lines_done == 1_000


async def broken_off(upload: Upload) -> None:
    async with upload:
        await add(upload, recipients(1_000), [])
        raise BrokenPipeError


async def test_a_thousand_refused_rows_make_a_part_as_well(store: Store) -> None:
    batch = await draft(store)
    upload = await open_upload(store, batch, "k")
    async with upload:
        await add(upload, [], refusals(*range(1, 1502)))
    assert upload.lines_done == 1000
    assert len(await store.batches.refused(batch, 0) or []) == 1000


async def test_a_part_of_long_rows_is_stored_before_it_has_a_thousand_recipients(store: Store) -> None:
    """What the open part keeps in memory is bounded by its size, whatever the rows are cut into."""
    batch = await draft(store)
    long = [row._replace(fields={f"column {index}": "x" * 100 for index in range(200)}) for row in recipients(250)]
    for start in range(0, 250, 30):
        upload = await open_upload(store, batch, "k")
        await add(upload, long[: start + 30], [])
    assert (await upload.finish()).accepted == 250
    blocks = [len(await store.batches.recipients(batch, block)) for block in range(4)]
    assert blocks == [100, 100, 50, 0]


async def test_only_the_first_refused_rows_are_shown(store: Store) -> None:
    answer = await send(store, await draft(store), [], refusals(*range(1, 1200)))
    assert [row.line for row in answer.sample] == list(range(1, SAMPLE_ROWS + 1))


@pytest.mark.parametrize("rows_before_the_break", [1, 999, 1000, 1700, 2000, 2500])
async def test_an_upload_that_broke_off_goes_on_where_it_stopped(store: Store, rows_before_the_break: int) -> None:
    batch, rows = await draft(store), recipients(2_500)
    broken = await open_upload(store, batch, "k")
    await add(broken, rows[:rows_before_the_break], [])
    answer = await send(store, batch, rows)
    assert (answer.accepted, answer.duplicates) == (2_500, 0)
    stored = [row for block in range(3) for row in await store.batches.recipients(batch, block)]
    assert stored == rows


async def test_blank_lines_between_two_parts_are_no_gap(store: Store) -> None:
    """A part begins behind the one before, whatever its first row's line is. A repeat goes on from there as well."""
    batch = await draft(store)
    rows = [row._replace(line=row.line + 5 * (row.line > 1000) + 3) for row in recipients(1_500)]
    for count in (1_200, 1_500):
        upload = await open_upload(store, batch, "k")
        await add(upload, rows[:count], [])
        if count == len(rows):
            assert (await upload.finish()).accepted == 1_500


async def test_the_way_a_list_is_cut_into_slices_does_not_matter(store: Store) -> None:
    batch, rows = await draft(store), recipients(2_500)
    await send(store, batch, rows)
    again = await open_upload(store, batch, "k")
    for start in range(0, len(rows), 77):
        await add(again, rows[start : start + 77], [])
    assert (await again.finish()).accepted == 2_500


async def test_refused_rows_between_recipients_do_not_change_the_parts(store: Store) -> None:
    """Row by row and in large slices, the same rows give the same parts: a repeat under the same key is no conflict."""
    batch = await draft(store)
    refused = refusals(1, 2, 500, 999, 1000, 1001, 1002, 1003, 1500, 2499, 2500)
    lines = {row.line for row in refused}
    accepted = [row for row in recipients(2_498) if row.line not in lines]
    by_row = await open_upload(store, batch, "k")
    for line in range(1, 2501):
        await add(by_row, [row for row in accepted if row.line == line], [row for row in refused if row.line == line])
    first = await by_row.finish()
    assert await send(store, batch, accepted, refused) == first
    assert (first.lines, first.refused) == (len(accepted) + 11, 11)
    stored = [row.line for block in range(3) for row in await store.batches.recipients(batch, block)]
    assert stored == [row.line for row in accepted]


async def test_the_same_list_under_the_same_key_gets_the_same_answer_even_after_the_start(store: Store) -> None:
    batch = await draft(store)
    first = await send(store, batch, recipients(1_200), refusals(1_300))
    await store.batches.command(batch, Command.START)
    assert await send(store, batch, recipients(1_200), refusals(1_300)) == first


@pytest.mark.parametrize(
    "other",
    [recipients(1_999), recipients(1_000), recipients(2_001), recipients(3_000), recipients(2_000, 1), []],
    ids=["one less", "a part less", "one more", "a part more", "other numbers", "nothing"],
)
async def test_another_list_under_a_used_key_is_a_conflict_and_stores_nothing(
    store: Store, other: list[Recipient]
) -> None:
    batch = await draft(store)
    await send(store, batch, recipients(2_000))
    with pytest.raises(Conflict, match="another list"):
        await send(store, batch, other)
    overview = await store.batches.overview(batch)
    assert overview is not None
    assert overview.lines == 2_000


async def test_another_key_adds_to_the_batch_and_finds_duplicates_of_the_first(store: Store) -> None:
    batch = await draft(store)
    await send(store, batch, recipients(10), key="one")
    answer = await send(store, batch, recipients(10, 5), key="two")
    assert (answer.accepted, answer.duplicates) == (5, 5)


async def test_a_batch_that_was_started_takes_no_new_list(store: Store) -> None:
    batch = await draft(store, 1)
    await store.batches.command(batch, Command.START)
    with pytest.raises(ActionNotAllowed, match="draft"):
        await open_upload(store, batch, "k")


async def test_a_start_in_the_middle_of_an_upload_ends_it(store: Store) -> None:
    batch = await draft(store)
    upload = await open_upload(store, batch, "k")
    await add(upload, recipients(1_000), [])
    await store.batches.command(batch, Command.START)
    with pytest.raises(ActionNotAllowed, match="not a draft any more"):
        await add(upload, recipients(1_000, 1_000), [])


@pytest.mark.parametrize("batch", ["nothere", "x:counts", "", "ä"])
async def test_an_unknown_batch_is_missing(store: Store, batch: str) -> None:
    with pytest.raises(Missing):
        await open_upload(store, batch, "k")
