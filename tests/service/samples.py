"""Batches in the states that tests need, made through the store as the product makes them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from dispatcher.core.batch import Command, Definition
from dispatcher.core.job import AttemptOutcome, FailureCode, HistoryEntry, JobId, Recipient, RefusedRow, State
from dispatcher.core.job_filter import JobFilter
from dispatcher.core.names import UploadName
from dispatcher.recipients.rows import Slice
from dispatcher.service.ids import batch_id
from dispatcher.service.mailings import Mailings
from dispatcher.service.reruns import RerunOrder, Reruns
from dispatcher.service.uploads import Upload
from dispatcher.service.views import BatchView
from dispatcher.store.batches import UploadChunk
from dispatcher.store.dispatch import StoredTransition
from dispatcher.store.store import Store

URL = "https://example.com/letter.pdf"
#: area codes in which 555-0100 to 555-0199 belong to nobody
AREAS = (
    *(201, 202, 203, 205, 206, 207, 208, 209, 210, 212, 213, 214, 215, 216, 217, 218, 219, 224, 225, 228),
    *(229, 231, 234, 239, 240, 248, 251, 252, 253, 254, 256, 260, 262, 267, 269, 270, 276, 281, 301, 302),
    *(303, 304, 305, 307, 308, 309, 310, 312, 313, 314),
)
#: more than any test leases
_PLENTY = 10_000


def definition(name: str = "March", **more: object) -> Definition:
    """What a producer asks for: id and time of creation are not set yet."""
    return replace(Definition(id="", name=name, created_ms=0, content_urls=(URL,)), **more)  # type: ignore[arg-type]


def number(row: int) -> str:
    """A fictional fax number for each of 5,000 rows."""
    area, line = divmod(row, 100)
    return f"+1{AREAS[area]}55501{line:02d}"


def recipients(count: int, first: int = 0) -> list[Recipient]:
    """One recipient for each line from ``first`` + 1."""
    return [
        Recipient(line=row + 1, number=number(row), region="US", reference=f"r{row}")
        for row in range(first, first + count)
    ]


def refusals(*lines: int) -> list[RefusedRow]:
    return [RefusedRow(line=line, number="12", reason="impossible", detail="It is too short.") for line in lines]


async def draft(store: Store, count: int = 0, **more: object) -> str:
    """A draft with ``count`` recipients in blocks of 1,000; returns its id."""
    batch = batch_id(0)
    await store.batches.create(replace(definition(**more), id=batch, created_ms=1))  # type: ignore[arg-type]
    for first in range(0, count, 1000):
        rows, name = recipients(min(1000, count - first), first), UploadName.of_key("u")
        part = UploadChunk(upload=name, first_line=rows[0].line, last_line=rows[-1].line, recipients=rows)
        await store.batches.add_chunk(batch, part)
    return batch


async def running(store: Store, count: int, **more: object) -> str:
    batch = await draft(store, count, **more)
    await store.batches.command(batch, Command.START)
    return batch


async def end_jobs(store: Store, batch: str, ends: Mapping[int, tuple[State, str]], why: str = "") -> None:
    """Let jobs of a running batch end, each in a state and category. Leases all that are due on the way."""
    while lease := await store.dispatch.claim("bulk", max_jobs=32, max_ahead=_PLENTY, max_in_flight=_PLENTY):
        assert {job.batch for job in lease.jobs} == {batch}
    rows = sorted(ends)
    stored = await store.dispatch.stored([JobId(batch, row) for row in rows])
    changes = [
        StoredTransition(
            job=entry.job,
            old=entry.record,
            new=replace(
                entry.record,
                state=ends[row][0],
                failure=FailureCode(category=ends[row][1]),
                attempt=1,
                lease=0,
                changed_ms=2,
            ),
            history=HistoryEntry(
                attempt=1, at_ms=2, outcome=AttemptOutcome.FAILED, failure=FailureCode(category=ends[row][1]), why=why
            )
            if why
            else None,
            spent=1,
        )
        for row, entry in zip(rows, stored, strict=True)
        if entry
    ]
    assert set(await store.dispatch.settle(changes)) == {None}


async def add(upload: Upload, accepted: Sequence[Recipient], refused: Sequence[RefusedRow]) -> None:
    """Add the next rows of a list to its upload."""
    await upload.add(lambda: Slice(list(accepted), list(refused)))


async def rerun_of(mailings: Mailings, parent: str, selected: JobFilter, *, key: str | None, **order: Any) -> BatchView:
    """The rerun of a single batch."""
    reruns = Reruns(mailings._store, mailings, mailings._number_key)
    (view,) = await reruns.run([parent], RerunOrder(selected=selected, **order), key)
    return view
