"""What the use-cases return: batches and jobs with everything known of them. Times are milliseconds since 1970."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from dispatcher.core.batch import BatchState, Definition, batch_state
from dispatcher.core.batch_filter import BatchFilter
from dispatcher.core.hold_scope import width_of
from dispatcher.core.job import HistoryEntry, JobId, Recipient, Record
from dispatcher.service.errors import Deleted, Missing, not_a_cursor
from dispatcher.store.batch_list import ListedBatch, ListPlace
from dispatcher.store.batches import Overview
from dispatcher.store.decoding import left_out
from dispatcher.store.errors import UnreadableData
from dispatcher.store.holds import Hold
from dispatcher.store.store import Store

__all__ = [
    "BatchList",
    "BatchView",
    "Hold",
    "JobStory",
    "JobView",
    "UnreadableBatch",
    "find_batch",
    "newest_batches",
    "view_batch",
]

#: size of the definitions in a list of batches after which it ends
LIST_SIZE = 2_000_000
#: batches that one list looks at, and those at a time, to find those that match
LOOKED_AT, _STEP = 2_000, 100
ANY = BatchFilter()


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchView:
    """A batch with its counts and its public state."""

    overview: Overview
    state: BatchState
    #: those of its parents and reruns that were deleted
    deleted: frozenset[str] = frozenset()

    @property
    def id(self) -> str:
        """Id of the batch."""
        return self.definition.id

    @property
    def holds(self) -> tuple[Hold, ...]:
        """The holds that stop it or its jobs to a country, the widest first."""
        return tuple(sorted(self.overview.holds, key=lambda hold: width_of(hold.scope)))

    @property
    def definition(self) -> Definition:
        """Content, options and policy of the batch."""
        return self.overview.definition


@dataclass(frozen=True, slots=True, kw_only=True)
class UnreadableBatch:
    """A batch in a list, of which nothing but the id can be read."""

    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchList:
    """Batches of a list, newest first. ``cursor`` is the value of ``after`` for those behind; empty: these are all."""

    views: tuple[BatchView | UnreadableBatch, ...]
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
    #: of its batch
    metadata: Mapping[str, str] = field(default_factory=dict)
    #: by which version of its batch each attempt was sent, those of the history and the latest
    versions: Mapping[int, int] = field(default_factory=dict)


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
    overview = await find_batch(store, batch)
    return replace(_view(overview), deleted=await store.deletions.deleted(_relatives(overview)))


def _relatives(overview: Overview) -> list[str]:
    return [name for name in (*overview.definition.parents, overview.definition.parent, *overview.reruns) if name]


async def newest_batches(store: Store, limit: int, after: str = "", batch_filter: BatchFilter = ANY) -> BatchList:
    """Return the newest batches behind a cursor (empty: all), newest first.

    A batch that cannot be read is listed with every filter. At most ``LOOKED_AT`` batches are looked at: the list may
    be short, or empty, although there are more behind its cursor.

    Raises InvalidInput for a cursor that is none.
    """
    views, place, looked = list[BatchView | UnreadableBatch](), _place(after), 0
    while looked < LOOKED_AT:
        step = _STEP if batch_filter.needs_labels else limit
        listed = await store.batches.newest(step, place, since_ms=batch_filter.since_ms, until_ms=batch_filter.until_ms)
        for entry in await _possible(store, listed, batch_filter):
            view = await _listed_view(store, entry.id, batch_filter)
            if view:
                views.append(view)
            if view and _is_full(views, limit):
                return BatchList(views=tuple(views), cursor=entry.place.cursor)
        if len(listed) < step:
            return BatchList(views=tuple(views), cursor="")
        place, looked = listed[-1].place, looked + step
    return BatchList(views=tuple(views), cursor=place.cursor if place else "")


def _place(after: str) -> ListPlace | None:
    try:
        return ListPlace.parse(after) if after else None
    except ValueError as error:
        raise not_a_cursor() from error


async def _possible(store: Store, listed: Sequence[ListedBatch], batch_filter: BatchFilter) -> list[ListedBatch]:
    """Return the batches that may match, as far as that is known without reading all about them."""
    if not batch_filter.needs_labels or not listed:
        return list(listed)
    labels = await store.batches.labels([entry.id for entry in listed])
    return [
        entry for entry, known in zip(listed, labels, strict=True) if known is None or batch_filter.may_match(known)
    ]


async def _listed_view(store: Store, batch: str, batch_filter: BatchFilter) -> BatchView | UnreadableBatch | None:
    """Return a batch of the list; None if it does not match, or has been deleted since the list was read."""
    try:
        overview = await store.batches.overview(batch)
    except UnreadableData as error:
        left_out(error)
        return UnreadableBatch(id=batch)
    if overview is None:
        # a name that the list still has belongs to a batch: what is missing is damaged too
        return None if await store.deletions.deleted([batch]) else UnreadableBatch(id=batch)
    view = _view(overview)
    return view if batch_filter.matches(view.state, view.definition.name, view.definition.metadata) else None


def _is_full(views: Sequence[BatchView | UnreadableBatch], limit: int) -> bool:
    """Return whether a list ends here although there may be more batches: it has enough of them, or large ones."""
    sizes = (view.definition.size for view in views if isinstance(view, BatchView))
    return len(views) == limit or sum(sizes) >= LIST_SIZE


def _view(overview: Overview) -> BatchView:
    state = batch_state(overview.control, overview.tally, held=overview.held)
    return BatchView(overview=overview, state=state)
