"""How far the running batches are, for metrics."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from dispatcher.core.job import LIVE, State
from dispatcher.core.progress import Remaining, end_of
from dispatcher.service.limits import BatchLimits, what_limits_batches
from dispatcher.store.holds import Hold
from dispatcher.store.running import RunningBatch
from dispatcher.store.store import Store

#: maximum number of batches that are told of: each one is a value of a label
MAX_BATCHES = 50
#: the newest batches of any state that are looked at: a batch whose last jobs are in flight has no work left
_NEWEST = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchFigures:
    """How far a running batch is. Times are in seconds from now."""

    batch: str
    jobs: Mapping[State, int]
    #: jobs that ended in a second lately
    rate: float
    #: when it will have ended; not a number if nobody can say
    end_s: float
    #: until its deadline, negative after it; infinite if it has none
    deadline_s: float


async def running_batches(store: Store, holds: Iterable[Hold], *, max_in_flight: int) -> Sequence[BatchFigures]:
    """Return the figures of running batches, those with work first. Raises StoreError.

    ``holds`` are those of wider scopes than a job.
    """
    working = await store.backlog.with_work({hold.scope for hold in holds}, MAX_BATCHES)
    newest = (await store.backlog.newest())[:_NEWEST]
    running = await store.running.among(dict.fromkeys([*working, *newest]), MAX_BATCHES)
    if not running:
        return ()
    limits = await what_limits_batches(store, [batch.batch for batch in running], max_in_flight=max_in_flight)
    now_ms = await store.clock.now_ms()
    return [_figures(batch, limits.get(batch.batch, BatchLimits()), now_ms) for batch in running]


def _figures(batch: RunningBatch, limits: BatchLimits, now_ms: int) -> BatchFigures:
    rate, backlog = batch.lately.rate(now_ms, batch.started_ms), limits.backlog
    end = end_of(
        Remaining(
            now_ms=now_ms,
            live=sum(batch.jobs.get(state, 0) for state in LIVE),
            later=backlog.later if backlog else 0,
            last_try_ms=backlog.last_ms if backlog else 0,
            held=backlog.held if backlog else 0,
            limited_by=limits.word,
            rate=rate,
            deadline_ms=0,  # the end without it: only that tells whether the deadline is missed
        )
    )
    return BatchFigures(
        batch=batch.batch,
        jobs=batch.jobs,
        rate=rate,
        end_s=(end.at_ms - now_ms) / 1000 if end else math.nan,
        deadline_s=(batch.deadline_ms - now_ms) / 1000 if batch.deadline_ms else math.inf,
    )
