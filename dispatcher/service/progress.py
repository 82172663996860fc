"""How far batches are and when they will have ended. Gathers the facts; the core decides."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dispatcher.core.batch import Control
from dispatcher.core.job import State
from dispatcher.core.limits.limited_by import LimitedBy
from dispatcher.core.progress import End, Remaining, Wait, end_of, waits_of
from dispatcher.service.limits import BatchLimits, what_limits_batches
from dispatcher.service.views import BatchView, UnreadableBatch
from dispatcher.store.backlog import BatchBacklog
from dispatcher.store.protocol import HELD_SCORE
from dispatcher.store.store import Store

#: a batch without any jobs in these states has none that are tried again
_NO_BACKLOG = BatchBacklog(batch="", control=Control.DRAFT, due=0, later=0, held=0, scopes=frozenset())


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchProgress:
    """What a batch does now. Times are milliseconds since 1970."""

    limited_by: LimitedBy | None = None
    #: jobs that ended in a second lately; None before the start
    rate: float | None = None
    #: when it will have ended; None if it has, or if nobody can say
    end: End | None = None
    #: what its waiting jobs wait for; None in a list, where it is not read
    waits: Sequence[Wait] | None = None


async def progress_of(
    store: Store, views: Sequence[BatchView | UnreadableBatch], *, max_in_flight: int
) -> Mapping[str, BatchProgress]:
    """Return the progress of several batches, without what their jobs wait for. Raises StoreError."""
    limits = await what_limits_batches(store, [view.id for view in views], max_in_flight=max_in_flight)
    now_ms = await store.clock.now_ms()
    return {
        view.id: _progress(view, limits.get(view.id, BatchLimits()), now_ms)
        for view in views
        if isinstance(view, BatchView)
    }


async def progress_of_one(store: Store, view: BatchView, *, max_in_flight: int) -> BatchProgress:
    """Return the progress of a batch, with what its jobs wait for. Raises StoreError."""
    limits = await what_limits_batches(store, [view.id], max_in_flight=max_in_flight)
    seen = limits.get(view.id, BatchLimits())
    progress = _progress(view, seen, await store.clock.now_ms())
    waiting = {
        category: jobs
        for (state, category), jobs in view.overview.tally.by_category.items()
        if state is State.WAITING and category
    }
    backlog = seen.backlog or _NO_BACKLOG
    waits = waits_of(
        waiting,
        await store.batches.waits(view.id) if waiting else (),
        held_from_ms=HELD_SCORE,
        first_ms=backlog.first_ms,
        last_ms=backlog.last_ms,
    )
    return BatchProgress(limited_by=progress.limited_by, rate=progress.rate, end=progress.end, waits=waits)


def _progress(view: BatchView, limits: BatchLimits, now_ms: int) -> BatchProgress:
    overview, backlog = view.overview, limits.backlog or _NO_BACKLOG
    rate = overview.lately.rate(now_ms, overview.started_ms) if overview.started_ms else None
    left = Remaining(
        now_ms=now_ms,
        live=overview.tally.live,
        later=backlog.later,
        last_try_ms=backlog.last_ms,
        held=backlog.held,
        withheld=backlog.withheld,
        limited_by=limits.word,
        rate=rate or 0.0,
        deadline_ms=view.definition.deadline_ms,
    )
    return BatchProgress(limited_by=limits.word, rate=rate, end=end_of(left))
