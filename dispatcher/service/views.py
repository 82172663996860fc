"""What the use-cases return: batches and jobs with everything known of them. Times are milliseconds since 1970."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from dispatcher.core.batch import BatchState, Definition, batch_state
from dispatcher.core.hold_scope import batch_of_job, width_of
from dispatcher.core.job import HistoryEntry, JobId, Recipient, Record
from dispatcher.service.errors import Deleted, Missing
from dispatcher.store.batches import Overview
from dispatcher.store.decoding import left_out
from dispatcher.store.errors import UnreadableData
from dispatcher.store.holds import Hold
from dispatcher.store.store import Store

__all__ = [
    "BatchView",
    "Hold",
    "JobStory",
    "JobView",
    "UnreadableBatch",
    "find_batch",
    "is_full",
    "newest_batches",
    "view_batch",
]

#: size of the definitions in a list of batches after which it ends
LIST_SIZE = 2_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchView:
    """A batch with its counts, its public state, and the holds that stop it or its jobs to a country."""

    overview: Overview
    state: BatchState
    holds: tuple[Hold, ...]
    #: those of its parents and reruns that were deleted
    deleted: frozenset[str] = frozenset()
    #: number of jobs that are held one by one, by category
    held_jobs: Mapping[str, int] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """Id of the batch."""
        return self.definition.id

    @property
    def cursor(self) -> str:
        """Value of ``before`` for the batches that are older."""
        return self.id

    @property
    def definition(self) -> Definition:
        """Content, options and policy of the batch."""
        return self.overview.definition


@dataclass(frozen=True, slots=True, kw_only=True)
class UnreadableBatch:
    """A batch in a list, of which nothing but the id can be read."""

    id: str
    #: value of ``before`` for the batches that are older
    cursor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobView:
    """A job with its recipient, its record, and the time when it is due next (None if there is none)."""

    id: JobId
    recipient: Recipient
    record: Record
    next_ms: int | None
    #: the job itself is held; told of a single job only
    held: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class JobStory:
    """A job with the history of its attempts, and a sentence that says how it ended or what it is waiting for."""

    job: JobView
    history: tuple[HistoryEntry, ...]
    explanation: str


async def find_batch(store: Store, batch: str) -> Overview:
    """Return the stored overview of a batch. Raises Missing or Deleted, and UnreadableData."""
    # an id becomes part of a key, so anything that cannot be an id is refused first
    overview = await store.batches.overview(batch) if batch.isascii() and batch.isalnum() else None
    if overview is None and await store.deletions.deleted([batch]):
        raise Deleted(f"batch {batch} was deleted")
    if overview is None:
        raise Missing(f"there is no batch {batch}")
    return overview


async def view_batch(store: Store, batch: str) -> BatchView:
    """Return a batch with the holds that concern it. Raises Missing for an unknown id."""
    overview, holds = await find_batch(store, batch), await store.holds.all()
    view = _with_holds(overview, holds, _jobs_held(holds).get(batch, {}))
    return replace(view, deleted=await store.deletions.deleted(_relatives(overview)))


def _relatives(overview: Overview) -> list[str]:
    return [name for name in (*overview.definition.parents, overview.definition.parent, *overview.reruns) if name]


async def newest_batches(store: Store, limit: int, before: str) -> list[BatchView | UnreadableBatch]:
    """Return the newest batches created before the batch or cursor ``before`` (empty: all), newest first."""
    holds = await store.holds.all()
    jobs_held = _jobs_held(holds)
    views = list[BatchView | UnreadableBatch]()
    for listed in await store.batches.newest(limit, before):
        damaged = UnreadableBatch(id=listed.id, cursor=listed.cursor)
        try:
            overview = await store.batches.overview(listed.id)
        except UnreadableData as error:
            left_out(error)
            views.append(damaged)
        else:
            # the list names it, so it exists: what is missing is damaged too
            views.append(_with_holds(overview, holds, jobs_held.get(listed.id, {})) if overview else damaged)
        if is_full(views, limit):
            break
    return views


def is_full(views: Sequence[BatchView | UnreadableBatch], limit: int) -> bool:
    """Return whether a list ends here although there may be more batches: it has enough of them, or large ones."""
    sizes = (view.definition.size for view in views if isinstance(view, BatchView))
    return len(views) == limit or sum(sizes) >= LIST_SIZE


def _with_holds(overview: Overview, holds: Iterable[Hold], jobs: Mapping[str, int]) -> BatchView:
    state = batch_state(overview.control, overview.tally, held=overview.held)
    scopes = overview.definition.scopes | overview.held_countries
    own = sorted((hold for hold in holds if hold.scope in scopes), key=lambda hold: width_of(hold.scope))
    return BatchView(overview=overview, state=state, holds=tuple(own), held_jobs=jobs)


def _jobs_held(holds: Iterable[Hold]) -> dict[str, Counter[str]]:
    """Return the number of jobs that are held one by one, by batch and category."""
    jobs: dict[str, Counter[str]] = {}
    for hold in holds:
        if batch := batch_of_job(hold.scope):
            jobs.setdefault(batch, Counter())[hold.category] += 1
    return jobs
