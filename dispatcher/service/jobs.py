"""Jobs of a batch: found by filters, and one job with its story; and the rows that became none."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace

from dispatcher.core.job import JobId, Recipient, Record, RefusedRow, State
from dispatcher.service.errors import Missing
from dispatcher.service.explanation import explain
from dispatcher.service.times import now_ms
from dispatcher.service.views import JobStory, JobView, find_batch, view_batch
from dispatcher.store.keys import BLOCK, locate
from dispatcher.store.store import Store

#: blocks whose rows one request unpacks at most, and blocks whose states and categories it looks at; the answer then
#: says where to go on
SCAN_BLOCKS, SKIM_BLOCKS = 50, 1000
#: blocks that are looked at by one call to the store
_SKIM_PIECE = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFilter:
    """Which jobs to show; empty fields match all."""

    states: frozenset[State] = frozenset()
    categories: frozenset[str] = frozenset()
    reference: str = ""
    #: E.164
    number: str = ""

    def wants(self, record: Record) -> bool:
        """Rows that are no jobs are never wanted."""
        return (
            record.state is not State.VOID
            and (not self.states or record.state in self.states)
            and (not self.categories or record.failure.category in self.categories)
        )

    def names(self, recipient: Recipient) -> bool:
        return (not self.reference or recipient.reference == self.reference) and (
            not self.number or recipient.number == self.number
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPage:
    """Jobs in the order of their rows. ``next_row`` is the last row looked at, None when there are no more."""

    jobs: tuple[JobView, ...]
    next_row: int | None


async def list_jobs(store: Store, batch: str, wanted: JobFilter, *, after: int, limit: int) -> JobPage:
    """Jobs after the row ``after`` (-1: from the start). Raises Missing for an unknown batch.

    A page may be short, even empty, and still have more behind it: one call looks at so many blocks only.
    """
    overview = await find_batch(store, batch)
    found: list[JobView] = []
    first, skip = divmod(after + 1, BLOCK)
    last = min(overview.blocks, first + SKIM_BLOCKS)
    scanned = 0
    async for block in _likely(store, batch, range(first, last), wanted):
        if scanned == SCAN_BLOCKS:
            return JobPage(jobs=tuple(found), next_row=block * BLOCK - 1)
        rows = await _matching(store, batch, block, wanted, skip if block == first else 0)
        found += await _with_times(store, batch, rows[: limit - len(found)])
        if len(found) == limit:
            return JobPage(jobs=tuple(found), next_row=found[-1].id.row)
        scanned += 1
    return JobPage(jobs=tuple(found), next_row=last * BLOCK - 1 if last < overview.blocks else None)


async def _likely(store: Store, batch: str, blocks: range, wanted: JobFilter) -> AsyncIterator[int]:
    """Blocks that may have a wanted job, piece by piece: whoever has enough stops asking."""
    for start in range(0, len(blocks), _SKIM_PIECE):
        piece = blocks[start : start + _SKIM_PIECE]
        for block in await store.batches.blocks_with(batch, piece, wanted.states, wanted.categories):
            yield block


Row = tuple[int, Recipient, Record]


async def _matching(store: Store, batch: str, block: int, wanted: JobFilter, skip: int) -> list[Row]:
    """Matching rows of a block from position ``skip`` on. Recipients are unpacked only when a record matches."""
    records = await store.batches.records(batch, block)
    positions = [position for position, record in enumerate(records) if position >= skip and wanted.wants(record)]
    if not positions:
        return []
    recipients = await store.batches.recipients(batch, block)
    return [
        (block * BLOCK + position, recipients[position], records[position])
        for position in positions
        if wanted.names(recipients[position])
    ]


async def _with_times(store: Store, batch: str, rows: Sequence[Row]) -> list[JobView]:
    if not rows:
        return []
    times = await store.batches.due_times(batch, [row for row, _, _ in rows])
    return [
        JobView(id=JobId(batch, row), recipient=recipient, record=record, next_ms=due)
        for (row, recipient, record), due in zip(rows, times, strict=True)
    ]


async def show_job(store: Store, text: str) -> JobStory:
    """One job by its id ``<batch>.<row>``. Raises Missing when there is none."""
    job = _job_id(text)
    batch = await view_batch(store, job.batch)
    view = replace(await view_job(store, job), held=await store.batches.is_held(job))
    block, _ = locate(job)
    history = (await store.batches.histories(job.batch, block)).get(job.row, [])
    return JobStory(job=view, history=tuple(history), explanation=explain(batch, view, history, now_ms()))


async def view_job(store: Store, job: JobId) -> JobView:
    """Raises Missing when the batch has no such job."""
    block, position = locate(job)
    records = await store.batches.records(job.batch, block)
    if position >= len(records) or records[position].state is State.VOID:
        raise Missing(f"there is no job {job}")
    recipient = (await store.batches.recipients(job.batch, block))[position]
    (view,) = await _with_times(store, job.batch, [(job.row, recipient, records[position])])
    return view


def _job_id(text: str) -> JobId:
    try:
        return JobId.parse(text)
    except ValueError as error:
        raise Missing(str(error)) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedPage:
    """Rows that became no job, in the order of the upload. ``next_row`` goes into ``after``; None: no more."""

    rows: tuple[RefusedRow, ...]
    next_row: int | None


async def list_refused(store: Store, batch: str, *, after: int, limit: int) -> RefusedPage:
    """Refused rows behind the place ``after`` (-1: from the start). Raises Missing for an unknown batch.

    Places count 1,000 for each stored chunk, so that a page begins where it should without reading what is before.
    """
    await find_batch(store, batch)
    found: list[RefusedRow] = []
    chunk, skip = divmod(after + 1, BLOCK)
    while (rows := await store.batches.refused(batch, chunk)) is not None:
        room = limit - len(found)
        found += rows[skip : skip + room]
        if len(rows) - skip >= room:
            return RefusedPage(rows=tuple(found), next_row=chunk * BLOCK + skip + room - 1)
        chunk, skip = chunk + 1, 0
    return RefusedPage(rows=tuple(found), next_row=None)
