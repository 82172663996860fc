"""Reads the rows of a batch, block by block. A row that cannot be read is shown as such, and the others go on."""

from collections.abc import AsyncIterator, Awaitable
from itertools import zip_longest
from typing import TypeVar

from dispatcher.core.job import Recipient, Record, RefusedRow, State
from dispatcher.core.job_filter import JobFilter
from dispatcher.service.errors import Deleted
from dispatcher.store.codec import UNREADABLE_RECORD
from dispatcher.store.decoding import left_out
from dispatcher.store.errors import UnreadableData
from dispatcher.store.store import Store

#: what people are told about data that cannot be read, and the reason of such a refused row
ADVICE, UNREADABLE = "it cannot be read: run `bulkfax doctor`, which says what to do", "unreadable"
#: stands for a recipient that cannot be read
_NOBODY = Recipient(line=0, number="")

Row = tuple[Recipient, Record]
Read = TypeVar("Read")


async def ensure_not_deleted(store: Store, *batches: str) -> None:
    """Raise Deleted if a batch was deleted. Called after rows were read: those of a deleted batch may be missing."""
    if deleted := await store.deletions.deleted(batches):
        raise Deleted(f"batch {', '.join(sorted(deleted))} was deleted meanwhile")


async def block_records(store: Store, batch: str, block: int) -> list[Record]:
    """Return the records of a block; empty if none of them can be read."""
    return await _readable(store.batches.records(batch, block), [])


async def matching_records(store: Store, batch: str, block: int, job_filter: JobFilter) -> list[tuple[int, Record]]:
    """Return the positions and records of a block's jobs whose records match a filter."""
    return await _readable(store.batches.matching_records(batch, block, job_filter), [])


async def matching_jobs(store: Store, batch: str, block: int, job_filter: JobFilter) -> list[tuple[int, State]]:
    """Return the positions and states of a block's jobs whose records match a filter."""
    return await _readable(store.batches.matching_jobs(batch, block, job_filter), [])


async def block_recipients(store: Store, batch: str, block: int) -> tuple[Recipient, ...]:
    """Return the recipients of a block; empty if they cannot be read."""
    return await _readable(store.batches.recipients(batch, block), ())


async def _readable(read: Awaitable[Read], otherwise: Read) -> Read:
    """Return what is read, or a replacement if it cannot be read, which is logged."""
    try:
        return await read
    except UnreadableData as error:
        left_out(error)
        return otherwise


def paired(recipients: tuple[Recipient, ...], records: list[Record]) -> list[Row]:
    """Return the rows of a block. One without a recipient or a record is unreadable, and so is a block without rows."""
    pairs = zip_longest(recipients, records) if recipients or records else [(None, None)]
    return [
        (recipient, record) if recipient and record else (recipient or _NOBODY, UNREADABLE_RECORD)
        for recipient, record in pairs
    ]


async def refused_chunks(store: Store, batch: str, first: int = 0) -> AsyncIterator[tuple[int, list[RefusedRow]]]:
    """Yield the chunks of refused rows from one on, with their numbers. A row stands for what cannot be read."""
    try:
        chunks = await store.batches.refused_chunks(batch)
    except UnreadableData as error:
        yield first, [_unreadable_refused(error)]
        return
    for chunk in range(first, chunks):
        try:
            yield chunk, await store.batches.refused(batch, chunk)
        except UnreadableData as error:
            yield chunk, [_unreadable_refused(error)]


def _unreadable_refused(error: UnreadableData) -> RefusedRow:
    left_out(error)
    return RefusedRow(line=0, number="", reason=UNREADABLE, detail=f"a part of the refused rows: {ADVICE}")
