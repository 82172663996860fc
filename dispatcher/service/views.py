"""What the use-cases answer with: a batch or a job, with all that is known of it. Times in milliseconds since 1970."""

from collections.abc import Iterable
from dataclasses import dataclass

from dispatcher.core.batch import BatchState, Definition, batch_state
from dispatcher.core.job import HistoryEntry, JobId, Recipient, Record
from dispatcher.service.errors import Missing
from dispatcher.store.batches import Overview
from dispatcher.store.holds import Hold
from dispatcher.store.store import Store

__all__ = ["BatchView", "Hold", "JobStory", "JobView", "find_batch", "newest_batches", "view_batch"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchView:
    """A batch with its counts, its state as people see it, and the holds that stop it or its jobs to a country."""

    overview: Overview
    state: BatchState
    holds: tuple[Hold, ...]

    @property
    def definition(self) -> Definition:
        return self.overview.definition


@dataclass(frozen=True, slots=True, kw_only=True)
class JobView:
    """A job: its recipient, its record, and when it is looked at next (None when nothing is due)."""

    id: JobId
    recipient: Recipient
    record: Record
    next_ms: int | None
    #: the job itself is held; told of a single job only
    held: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class JobStory:
    """One job with the history of its attempts, and a sentence on what it waits for."""

    job: JobView
    history: tuple[HistoryEntry, ...]
    explanation: str


async def find_batch(store: Store, batch: str) -> Overview:
    """Raises Missing for an unknown id."""
    # ids become parts of keys: only what can be an id is asked for
    overview = await store.batches.overview(batch) if batch.isascii() and batch.isalnum() else None
    if overview is None:
        raise Missing(f"there is no batch {batch}")
    return overview


async def view_batch(store: Store, batch: str) -> BatchView:
    """Raises Missing for an unknown id."""
    return _with_holds(await find_batch(store, batch), await store.holds.all())


async def newest_batches(store: Store, limit: int, before: str) -> list[BatchView]:
    """Batches created before the batch ``before`` (empty: now), newest first."""
    holds = await store.holds.all()
    overviews = [await store.batches.overview(batch) for batch in await store.batches.newest(limit, before)]
    return [_with_holds(overview, holds) for overview in overviews if overview is not None]


def _with_holds(overview: Overview, holds: Iterable[Hold]) -> BatchView:
    state = batch_state(overview.control, overview.tally, held=overview.held)
    scopes = overview.definition.scopes | overview.held_countries
    return BatchView(overview=overview, state=state, holds=tuple(hold for hold in holds if hold.scope in scopes))
