"""A batch as a table."""

import csv
import io

import pytest

from dispatcher.core.batch import Command
from dispatcher.core.job import Recipient, State
from dispatcher.core.names import UploadName
from dispatcher.service.errors import Missing
from dispatcher.service.report import COLUMNS, report
from dispatcher.store.batches import UploadChunk
from dispatcher.store.store import Store
from tests.service.samples import draft, end_jobs, number, refusals, running

pytestmark = pytest.mark.anyio


async def table(store: Store, batch: str) -> list[dict[str, str]]:
    text = b"".join([piece async for piece in await report(store, batch)]).decode()
    return list(csv.DictReader(io.StringIO(text)))


async def test_every_uploaded_line_is_in_it_once_whatever_became_of_it(store: Store) -> None:
    batch = await draft(store, 2)
    twice = Recipient(line=3, number=number(0), reference="again")
    part = UploadChunk(
        upload=UploadName.of_key("u"), first_line=3, last_line=4, recipients=[twice], refused=refusals(4)
    )
    await store.batches.add_chunk(batch, part)
    await store.batches.command(batch, Command.START)
    await end_jobs(store, batch, {1: (State.FAILED, "busy")}, why="It was busy.")
    lines = await table(store, batch)
    assert list(lines[0]) == list(COLUMNS)
    assert [(line["line"], line["state"], line["category"], line["reason"]) for line in lines] == [
        ("1", "leased", "", ""),
        ("2", "failed", "busy", "It was busy."),
        ("3", "duplicate", "", "the number is already in the batch"),
        ("4", "refused", "impossible", "It is too short."),
    ]


async def test_rows_that_a_cancelled_batch_never_began_are_cancelled(store: Store) -> None:
    batch = await running(store, 3)
    await store.batches.command(batch, Command.CANCEL)
    assert [line["state"] for line in await table(store, batch)] == ["cancelled"] * 3


async def test_it_comes_block_by_block(store: Store) -> None:
    batch = await draft(store, 2_500)
    pieces = [piece async for piece in await report(store, batch)]
    assert [piece.count(b"\r\n") for piece in pieces] == [1, 1000, 1000, 500]


async def test_an_unknown_batch_is_missing_before_anything_is_read(store: Store) -> None:
    with pytest.raises(Missing):
        await report(store, "nothere")
