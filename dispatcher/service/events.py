"""Events for producers: lists of what happened to batches, with the names that people gave them."""

from collections.abc import AsyncIterator, Iterable, Mapping, Set
from dataclasses import dataclass, field

from dispatcher.core.batch import Definition
from dispatcher.core.batch_events import BatchEvent, EventType
from dispatcher.core.job import JobId
from dispatcher.service.errors import InvalidInput
from dispatcher.service.rows import block_recipients
from dispatcher.service.times import rfc3339
from dispatcher.store.decoding import left_out, whole
from dispatcher.store.errors import UnreadableData
from dispatcher.store.events import START, before_time, is_event_id
from dispatcher.store.keys import locate
from dispatcher.store.store import Store

#: events that one call to the store reads, and maximum number of such calls for one page
_READ, _READS_PER_PAGE = 1000, 10
#: blocks of recipients that a page reads for the references of jobs; a block takes some milliseconds of CPU time
_BLOCKS_PER_PAGE = 50
#: characters of metadata after which a page ends
_METADATA_PER_PAGE = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class EventView:
    """An event with what is known of its batch and its job now."""

    event: BatchEvent
    #: name and metadata of the batch; empty if it was deleted, and for an event of the account
    name: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    #: the producer's own id of the job that ended
    reference: str = ""

    def as_json(self) -> dict[str, object]:
        """Return the event as the API shows it and webhooks deliver it."""
        event = self.event
        return {
            "id": event.id,
            "type": event.type.value,
            "time": rfc3339(event.time_ms),
            "sequence": event.sequence,
            "batch": event.batch or None,
            "name": self.name or None,
            "metadata": dict(self.metadata),
            "data": self._data(),
        }

    def _data(self) -> dict[str, object]:
        data = dict(self.event.data)
        match self.event.type:
            case EventType.JOB_FINAL:
                return data | {"category": data["category"] or None, "reference": self.reference or None}
            case EventType.DEADLINE_AT_RISK:
                times = {"deadline": data["deadline_ms"], "expected_at": data["expected_ms"]}
                shown = {name: rfc3339(whole(str(time_ms))) or None for name, time_ms in times.items()}
                return shown | {"jobs": data["jobs"]}
        return data


@dataclass(frozen=True, slots=True, kw_only=True)
class EventPage:
    """Events in the order in which they happened."""

    events: tuple[EventView, ...]
    #: value of ``after`` for the next page, and for the next poll
    cursor: str
    #: whether there may be more now
    more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFilter:
    """Which events are wanted. Empty: all."""

    types: Set[EventType] = frozenset()
    batch: str = ""

    def matches(self, event: BatchEvent) -> bool:
        """Return whether an event is wanted."""
        return (not self.types or event.type in self.types) and self.batch in ("", event.batch)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPage:
    """Events as they are stored, in the order in which they happened. ``cursor`` and ``more`` as in an EventPage."""

    events: tuple[BatchEvent, ...]
    cursor: str
    more: bool


async def list_events(store: Store, criteria: EventFilter, *, after: str, limit: int) -> EventPage:
    """Return events behind an id. A page may be short and yet not be the last: one call reads a bounded number."""
    stored = await stored_events(store, criteria, after=after, limit=limit)
    views, size = list[EventView](), 0
    async for view in event_views(store, stored.events):
        size += sum(len(key) + len(value) for key, value in view.metadata.items())
        if views and size > _METADATA_PER_PAGE:
            return EventPage(events=tuple(views), cursor=views[-1].event.id, more=True)
        views.append(view)
    return EventPage(events=tuple(views), cursor=stored.cursor, more=stored.more)


async def stored_events(store: Store, criteria: EventFilter, *, after: str, limit: int) -> StoredPage:
    """Return events behind an id as they are stored, with the same bounds as ``list_events``."""
    events: list[BatchEvent] = []
    blocks = set[tuple[str, int]]()
    for _ in range(_READS_PER_PAGE):
        stored = await store.events.after(after, _READ)
        for event in stored.events:
            if criteria.matches(event):
                blocks |= _blocks(event)
                if len(events) == limit or len(blocks) > _BLOCKS_PER_PAGE:
                    return StoredPage(events=tuple(events), cursor=after, more=True)
                events.append(event)
            after = event.id
        after = stored.last or after
        if stored.read < _READ:
            return StoredPage(events=tuple(events), cursor=after, more=False)
    return StoredPage(events=tuple(events), cursor=after, more=True)


async def event_views(store: Store, events: Iterable[BatchEvent]) -> AsyncIterator[EventView]:
    """Yield events with what is known of their batches and jobs. Each batch and block is read when it is needed."""
    definitions = dict[str, Definition | None]()
    references = dict[tuple[str, int], tuple[str, ...]]()
    for event in events:
        if event.batch and event.batch not in definitions:
            definitions[event.batch] = await _definition(store, event.batch)
        for batch, block in _blocks(event) - references.keys():
            recipients = await block_recipients(store, batch, block)
            # the other columns of a list may be large
            references[batch, block] = tuple(recipient.reference for recipient in recipients)
        yield _view(event, definitions.get(event.batch), _reference(references, _job(event)))


def cursor_of(text: str, time_ms: int) -> str:
    """Return where to read from: behind an event, or from a time on. Neither: from the first event that is kept.

    Raises:
        InvalidInput: The text is no id of an event.
    """
    if time_ms:
        return before_time(time_ms)
    if text and not is_event_id(text):
        raise InvalidInput({"after": "give the id of an event, such as 1795000000000-0, or the value of `next`"})
    return text or START


def _blocks(event: BatchEvent) -> set[tuple[str, int]]:
    job = _job(event)
    return {(job.batch, locate(job)[0])} if job else set()


def _job(event: BatchEvent) -> JobId | None:
    return JobId.parse(str(event.data["job"])) if event.type is EventType.JOB_FINAL else None


def _view(event: BatchEvent, definition: Definition | None, reference: str) -> EventView:
    if definition is None:
        return EventView(event=event, reference=reference)
    # there may be a million of them: the start of the batch has its metadata
    metadata = {} if event.type is EventType.JOB_FINAL else definition.metadata
    return EventView(event=event, name=definition.name, metadata=metadata, reference=reference)


def _reference(references: Mapping[tuple[str, int], tuple[str, ...]], job: JobId | None) -> str:
    if job is None:
        return ""
    block, position = locate(job)
    known = references[job.batch, block]
    return known[position] if position < len(known) else ""


async def _definition(store: Store, batch: str) -> Definition | None:
    try:
        return await store.batches.definition(batch)
    except UnreadableData as error:
        left_out(error)
        return None
