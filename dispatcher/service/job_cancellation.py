"""Cancels single jobs of a batch that has not ended: those that a filter names, some seconds' worth at a time."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from dispatcher.core.batch import Control
from dispatcher.core.job import LIVE, State
from dispatcher.core.job_filter import JobFilter
from dispatcher.service.errors import ActionNotAllowed, Missing
from dispatcher.service.rows import block_recipients, matching_jobs
from dispatcher.service.views import find_batch
from dispatcher.store.batches import ROWS_PER_CALL
from dispatcher.store.keys import BLOCK
from dispatcher.store.store import Store

#: seconds for which one request looks at blocks
BUDGET_S = 7.0
#: controls of batches whose jobs can be cancelled one by one
_OPEN = (Control.SCHEDULED, Control.RUNNING, Control.PAUSED)
_IN_FLIGHT = (State.SENDING, State.ACCEPTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancellation:
    """What was cancelled, or would be. Pass ``next_row`` as ``after`` for the rest; None: there is none."""

    jobs: int
    #: jobs that match and whose call is under way: they are not cancelled
    in_flight: int
    next_row: int | None


async def cancel_jobs(
    store: Store, batch: str, named: JobFilter, *, reason: str, preview: bool, after: int = -1
) -> Cancellation:
    """Cancel the live jobs after the row ``after`` (-1: from the start) that match. A preview only counts them.

    A job that has been begun when its turn comes is counted as in flight. The call may be repeated: what was cancelled
    does not match any more. Of a batch that has ended, nothing matches.

    Raises:
        Missing: There is no such batch.
        ActionNotAllowed: The batch is a draft.
    """
    overview = await find_batch(store, batch)
    if overview.control is Control.DRAFT:
        raise ActionNotAllowed(f"batch {batch} is a draft: nothing of it is sent; cancel the batch, or start it first")
    has_live = overview.control in _OPEN and bool(overview.tally.live)
    live = replace(named, states=(named.states or frozenset(LIVE)) & frozenset(LIVE))
    blocks = range((after + 1) // BLOCK, overview.blocks if has_live and live.states else 0)
    done = await _cancel_in(store, batch, blocks, live, reason=reason, preview=preview)
    if not preview:
        await store.confirm()  # a repeat may have found all of them cancelled
    return done


async def _cancel_in(
    store: Store, batch: str, blocks: range, live: JobFilter, *, reason: str, preview: bool
) -> Cancellation:
    until_s, jobs, in_flight = time.monotonic() + BUDGET_S, 0, 0
    for block in blocks:
        if time.monotonic() >= until_s:
            return Cancellation(jobs=jobs, in_flight=in_flight, next_row=block * BLOCK - 1)
        rows, sending = await _matching(store, batch, block, live)
        if not preview:
            cancelled, begun = await _cancel(store, batch, rows, reason)
            jobs, in_flight = jobs + cancelled, in_flight + sending + begun
        else:
            jobs, in_flight = jobs + len(rows), in_flight + sending
    return Cancellation(jobs=jobs, in_flight=in_flight, next_row=None)


async def _matching(store: Store, batch: str, block: int, named: JobFilter) -> tuple[list[int], int]:
    """Return the rows of the matching jobs of a block that can be cancelled, and how many are in flight."""
    matching = await matching_jobs(store, batch, block, named)
    if matching and named.needs_recipient:
        recipients = await block_recipients(store, batch, block)
        known = [(position, state) for position, state in matching if position < len(recipients)]
        matching = [(position, state) for position, state in known if named.matches_recipient(recipients[position])]
    waiting = [block * BLOCK + position for position, state in matching if state not in _IN_FLIGHT]
    return waiting, len(matching) - len(waiting)


async def _cancel(store: Store, batch: str, rows: Sequence[int], reason: str) -> tuple[int, int]:
    """Cancel rows. Returns how many were cancelled, and how many were begun meanwhile."""
    cancelled = begun = 0
    for first in range(0, len(rows), ROWS_PER_CALL):
        answer = await store.batches.cancel_jobs(batch, rows[first : first + ROWS_PER_CALL], reason)
        if answer is None:
            raise Missing(f"there is no batch {batch}")
        if answer.control not in _OPEN:
            break  # it has ended meanwhile, and these jobs with it
        cancelled, begun = cancelled + answer.cancelled, begun + answer.in_flight
    return cancelled, begun
