"""Lists the jobs of a batch, shows one job with its history, and lists the rows that were refused."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace

from dispatcher.core.job import HistoryEntry, JobId, Recipient, Record, RefusedRow, State, size_of
from dispatcher.core.job_filter import JobFilter
from dispatcher.service.errors import Missing
from dispatcher.service.explanation import explain
from dispatcher.service.rows import (
    block_recipients,
    block_records,
    ensure_not_deleted,
    matching_records,
    paired,
    refused_chunks,
)
from dispatcher.service.times import now_ms
from dispatcher.service.views import JobStory, JobView, find_batch, view_batch
from dispatcher.store.batches import Overview
from dispatcher.store.errors import UnreadableData
from dispatcher.store.keys import BLOCK, locate
from dispatcher.store.store import Store

#: Maximum blocks that one request decodes, and whose states and categories it looks at. The page then says where to
#: continue.
SCAN_BLOCKS, SKIM_BLOCKS = 50, 1000
#: size of a page's recipients after which it ends
PAGE_SIZE = 2_000_000
#: blocks whose states and categories one call to the store looks at
_BLOCKS_PER_CALL = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPage:
    """Jobs in the order of their rows. Pass ``next_row`` as ``after`` for the next page; None: this is the last."""

    jobs: tuple[JobView, ...]
    next_row: int | None


async def list_jobs(store: Store, batch: str, job_filter: JobFilter, *, after: int, limit: int) -> JobPage:
    """List jobs after the row ``after`` (-1: from the start). Raises Missing for an unknown batch.

    A page may be short or even empty and yet not be the last, because one call looks at a limited number of blocks, and
    because a page of long rows is cut.
    """
    overview = await find_batch(store, batch)
    page = await _page(store, overview, job_filter, after=after, limit=limit)
    await ensure_not_deleted(store, batch)
    return page


async def _page(store: Store, overview: Overview, job_filter: JobFilter, *, after: int, limit: int) -> JobPage:
    batch = overview.definition.id
    jobs: list[JobView] = []
    first, skip = divmod(after + 1, BLOCK)
    last = min(overview.blocks, first + SKIM_BLOCKS)
    scanned = size = 0
    async for block in _candidate_blocks(store, batch, range(first, last), job_filter):
        if scanned == SCAN_BLOCKS:
            return JobPage(jobs=tuple(jobs), next_row=block * BLOCK - 1)
        rows = await _matching(store, batch, block, job_filter, skip if block == first else 0)
        rows, size = _fitting(rows[: limit - len(jobs)], size)
        jobs += await _with_times(store, batch, rows)
        if len(jobs) == limit or size >= PAGE_SIZE:
            return JobPage(jobs=tuple(jobs), next_row=jobs[-1].id.row)
        scanned += 1
    return JobPage(jobs=tuple(jobs), next_row=last * BLOCK - 1 if last < overview.blocks else None)


async def _candidate_blocks(store: Store, batch: str, blocks: range, job_filter: JobFilter) -> AsyncIterator[int]:
    """Yield the blocks that may have matching jobs. The caller stops when its page is full."""
    for start in range(0, len(blocks), _BLOCKS_PER_CALL):
        piece = blocks[start : start + _BLOCKS_PER_CALL]
        for block in await store.batches.blocks_with(batch, piece, job_filter.states, job_filter.categories):
            yield block


Row = tuple[int, Recipient, Record]


async def _matching(store: Store, batch: str, block: int, job_filter: JobFilter, skip: int) -> list[Row]:
    """Return the matching rows of a block from position ``skip`` on.

    Rows that cannot be read match the filter that asks for nothing.
    """
    rows = await (_rows_by_outcome if job_filter.names_outcome else _all_rows)(store, batch, block, job_filter)
    return [row for row in rows if row[0] >= block * BLOCK + skip and job_filter.matches(*row)]


async def _all_rows(store: Store, batch: str, block: int, _: JobFilter) -> list[Row]:
    rows = paired(await block_recipients(store, batch, block), await block_records(store, batch, block))
    return [(row, recipient, record) for row, (recipient, record) in enumerate(rows, start=block * BLOCK)]


async def _rows_by_outcome(store: Store, batch: str, block: int, job_filter: JobFilter) -> list[Row]:
    """Return the rows whose records match. Decodes recipients only if there are any."""
    records = await matching_records(store, batch, block, job_filter)
    recipients = await block_recipients(store, batch, block) if records else ()
    return [
        (block * BLOCK + position, recipients[position], record)
        for position, record in records
        if position < len(recipients)
    ]


def _fitting(rows: list[Row], size: int) -> tuple[list[Row], int]:
    """Return the rows that fit into a page of this size, and its size with them. The row that fills it is the last."""
    for count, (_, recipient, _) in enumerate(rows, start=1):
        size += size_of([recipient])
        if size >= PAGE_SIZE:
            return rows[:count], size
    return rows, size


async def _with_times(store: Store, batch: str, rows: Sequence[Row]) -> list[JobView]:
    if not rows:
        return []
    times = await store.batches.due_times(batch, [row for row, _, _ in rows])
    return [
        JobView(id=JobId(batch, row), recipient=recipient, record=record, next_ms=due)
        for (row, recipient, record), due in zip(rows, times, strict=True)
    ]


async def show_job(store: Store, text: str) -> JobStory:
    """Return one job with its history, by its id ``<batch>.<row>``. Raises Missing when there is none."""
    job = _job_id(text)
    batch = await view_batch(store, job.batch)
    view = replace(await view_job(store, job), held=await store.batches.is_held(job))
    block, _ = locate(job)
    history = (await store.batches.histories(job.batch, block)).get(job.row, [])
    await ensure_not_deleted(store, job.batch)
    if history is None:
        raise UnreadableData(f"job {job}", "its history is damaged")
    return JobStory(
        job=view,
        history=tuple(history),
        explanation=explain(batch, view, history, now_ms()),
        versions=await _versions(store, view, history),
        metadata=batch.definition.metadata,
    )


async def _versions(store: Store, view: JobView, history: Sequence[HistoryEntry]) -> dict[int, int]:
    """Return by which version of its batch each attempt of a job was sent."""
    attempts = {view.record.attempt, *(entry.attempt for entry in history)} - {0}
    versions = await store.changes.versions_of(view.id) if attempts else None
    return {attempt: versions.of(attempt) for attempt in sorted(attempts)} if versions else {}


async def view_job(store: Store, job: JobId) -> JobView:
    """Return one job. Raises Missing when the batch has no such job, and UnreadableData."""
    block, position = locate(job)
    records = await store.batches.records(job.batch, block)
    if position >= len(records) or records[position].state is State.VOID:
        raise Missing(f"there is no job {job}")
    recipient, record = paired(await store.batches.recipients(job.batch, block), records)[position]
    if record.state is State.UNREADABLE:
        raise UnreadableData(f"job {job}", "its record or its recipient is damaged")
    (view,) = await _with_times(store, job.batch, [(job.row, recipient, record)])
    await ensure_not_deleted(store, job.batch)
    return view


def parsed_job(text: str) -> JobId | None:
    """Return the job of an id ``<batch>.<row>``; None for a text that is none."""
    try:
        return JobId.parse(text)
    except ValueError:
        return None


def _job_id(text: str) -> JobId:
    try:
        return JobId.parse(text)
    except ValueError as error:
        raise Missing(str(error)) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedPage:
    """Refused rows in upload order. Pass ``next_row`` as ``after`` for the next page; None: this is the last."""

    rows: tuple[RefusedRow, ...]
    next_row: int | None


async def list_refused(store: Store, batch: str, *, after: int, limit: int) -> RefusedPage:
    """List refused rows after the position ``after`` (-1: from the start). Raises Missing for an unknown batch.

    Each stored chunk counts as 1,000 positions, so that a page can begin in the middle without reading earlier chunks.
    """
    await find_batch(store, batch)
    page = await _refused_page(store, batch, after, limit)
    await ensure_not_deleted(store, batch)
    return page


async def _refused_page(store: Store, batch: str, after: int, limit: int) -> RefusedPage:
    refused: list[RefusedRow] = []
    first, skip = divmod(after + 1, BLOCK)
    async for chunk, rows in refused_chunks(store, batch, first):
        room = limit - len(refused)
        refused += rows[skip : skip + room]
        if len(rows) - skip >= room:
            return RefusedPage(rows=tuple(refused), next_row=chunk * BLOCK + skip + room - 1)
        skip = 0
    return RefusedPage(rows=tuple(refused), next_row=None)
