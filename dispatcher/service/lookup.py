"""Looks up jobs over all batches by number and reference: was this number ever faxed, and what came of it."""

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from itertools import product

from dispatcher.core.job import JobId
from dispatcher.core.job_filter import JobFilter
from dispatcher.core.lookup_index import Needle, find
from dispatcher.cpu_thread import on_cpu_thread
from dispatcher.service.errors import Missing, not_a_cursor
from dispatcher.service.jobs import view_job
from dispatcher.service.views import JobView
from dispatcher.store.decoding import left_out
from dispatcher.store.errors import UnreadableData
from dispatcher.store.store import Store

#: how long a request looks before it answers with what it has, and where to go on
_LONGEST_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LookupPage:
    """Jobs, newest first. Pass ``cursor`` as ``after`` for the next page; it is empty on the last one."""

    jobs: tuple[JobView, ...]
    cursor: str


@dataclass(frozen=True, slots=True)
class _Position:
    """A place in the index: in a piece, before one of its rows (0: behind its last one)."""

    piece: int
    end: int = 0

    def __str__(self) -> str:
        return f"{self.piece}-{self.end}"

    @classmethod
    def parse(cls, cursor: str) -> "_Position":
        piece, dash, end = cursor.partition("-")
        if not (dash and all(part.isascii() and part.isdigit() and len(part) <= 15 for part in (piece, end))):
            raise not_a_cursor()
        return cls(int(piece), int(end))


async def look_up(store: Store, job_filter: JobFilter, *, after: str, limit: int) -> LookupPage:
    """Return jobs of all batches that match, newest first. A page may be short and yet not be the last.

    The filter has to have numbers or references.

    Raises InvalidInput for a cursor that is none.
    """
    start = _Position.parse(after) if after else _Position(await store.lookup_index.last_piece())
    jobs: list[JobView] = []
    until_s = time.monotonic() + _LONGEST_S
    async for position, job in _candidates(store, await _needles(store, job_filter), start):
        jobs += await _matching(store, job, job_filter) if job else []
        if len(jobs) == limit or time.monotonic() > until_s:
            return LookupPage(jobs=tuple(jobs), cursor=str(position))
    return LookupPage(jobs=tuple(jobs), cursor="")


async def _needles(store: Store, job_filter: JobFilter) -> tuple[Needle, ...]:
    key = await store.secrets.number_key()
    pairs = product(sorted(job_filter.numbers) or [""], sorted(job_filter.references) or [""])
    return tuple(Needle.of(number, reference, key) for number, reference in pairs)


async def _candidates(
    store: Store, needles: tuple[Needle, ...], start: _Position
) -> AsyncIterator[tuple[_Position, JobId | None]]:
    """Yield the jobs of the index that may match, newest first, each with the position behind it.

    None stands for the end of a piece. Pieces end in the order in which they were written, so the first that is gone is
    the last that is read.
    """
    for number in range(start.piece, 0, -1):
        piece = await store.lookup_index.piece(number)
        if not piece:
            return
        for position, job in await on_cpu_thread(find, piece, needles, start.end if number == start.piece else 0):
            yield _Position(number, position), job
        yield _Position(number - 1), None


async def _matching(store: Store, job: JobId, job_filter: JobFilter) -> list[JobView]:
    """Return the job if it matches. It does not if it was a duplicate, its batch is gone, or it cannot be read."""
    try:
        view = await view_job(store, job)
    except Missing:
        return []
    except UnreadableData as error:
        left_out(error)
        return []
    return [view] if job_filter.matches(job.row, view.recipient, view.record) else []
