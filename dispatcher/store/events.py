"""Reads the stream of events for producers, removes old ones, and stores which deadlines are at risk.

The scripts append events (``prelude/events.lua``). The id of an event is that of its entry in the stream: the time and
a number, as in ``1795000000000-0``.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dispatcher.core.batch import FINAL_STATES, BatchState, Control
from dispatcher.core.batch_events import BatchEvent, Deadline, EventType, Risk
from dispatcher.core.job import JobId, State
from dispatcher.store.client import Client
from dispatcher.store.codec import category_name
from dispatcher.store.decoding import readable, whole, whole_or_0
from dispatcher.store.errors import translated
from dispatcher.store.lua import Scripts

#: before the first event
START = "0-0"
#: entries that are removed at a time
_REMOVED = 1000
#: deadlines that are looked at, the soonest first
_DEADLINES = 200
_FACTS = ("deadline_ms", "started_ms", "start_at_ms", "rows", "finals", "told_deadline_ms")
_ID = re.compile(r"([0-9]{1,15})-([0-9]{1,15})")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEvents:
    """Some events in the order in which they happened. ``last``: id of the last entry that was read, or empty."""

    events: Sequence[BatchEvent]
    last: str
    #: number of entries that were read; some may be unreadable
    read: int


def is_event_id(text: str) -> bool:
    """Return whether a text has the form of an event's id."""
    return _ID.fullmatch(text) is not None


def event_time_ms(event_id: str) -> int:
    """Return when an event happened, in milliseconds since 1970."""
    return int(event_id.partition("-")[0])


def before_time(time_ms: int) -> str:
    """Return the id after which the events of a time begin."""
    return f"{max(0, time_ms - 1)}-{10**15 - 1}"


class Events:
    def __init__(self, client: Client, scripts: Scripts) -> None:
        self._client = client
        self._scripts = scripts
        self._keys = scripts.keys

    async def after(self, event_id: str, limit: int) -> StoredEvents:
        """Return up to ``limit`` events behind an id. One that cannot be read is left out."""
        with translated():
            entries = await self._client.xrange(self._keys.events, min=f"({event_id}", count=limit)
        events = readable(self._keys.events, entries, _decoded)
        return StoredEvents(events=events, last=entries[-1][0].decode() if entries else "", read=len(entries))

    async def last(self) -> str:
        """Return the id of the last event; ``START`` if there was none."""
        with translated():
            entries = await self._client.xrevrange(self._keys.events, count=1)
        return entries[0][0].decode() if entries else START

    async def count(self) -> int:
        """Return the number of events."""
        with translated():
            return int(await self._client.xlen(self._keys.events))

    async def remove_before(self, time_ms: int) -> int:
        """Remove some of the events of before a time. Returns how many; 0: there are none, or only a few."""
        with translated():
            return int(
                await self._client.xtrim(self._keys.events, minid=f"{time_ms}-0", approximate=True, limit=_REMOVED)
            )

    async def deadlines(self) -> list[Deadline]:
        """Return the soonest deadlines of batches that have not ended. What cannot be read is left out."""
        with translated():
            names = await self._client.zrange(self._keys.deadlines, 0, _DEADLINES - 1)
            batches = [name.decode(errors="replace") for name in names]
            async with self._client.pipeline(transaction=False) as pipe:
                for batch in batches:
                    pipe.hmget(self._keys.batch(batch), _FACTS)
                stored = await pipe.execute(raise_on_error=False) if batches else []
        return readable(self._keys.deadlines, zip(batches, stored, strict=True), _deadline)

    async def announce_risk(self, risk: Risk) -> bool:
        """Append the event that a deadline is at risk, once for each deadline of a batch. Returns whether it is new."""
        return bool(
            await self._scripts.run(
                "announce_risk",
                batch=risk.batch,
                deadline_ms=risk.deadline_ms,
                jobs=risk.jobs,
                expected_ms=risk.expected_ms,
            )
        )


def _deadline(stored: tuple[str, Sequence[bytes | None]]) -> Deadline:
    batch, facts = stored
    deadline, started, start_at, rows, finals, announced = map(whole_or_0, facts)
    return Deadline(
        batch=batch,
        deadline_ms=deadline,
        started_ms=started,
        start_at_ms=start_at,
        rows=rows,
        finals=finals,
        announced_ms=announced,
    )


def _decoded(entry: tuple[bytes, Mapping[bytes, bytes]]) -> BatchEvent:
    event_id, fields = entry[0].decode(), entry[1]
    kind, batch = EventType(fields[b"type"].decode()), fields[b"batch"].decode()
    data = fields[b"data"].decode()
    return BatchEvent(
        id=event_id,
        type=kind,
        time_ms=event_time_ms(event_id),
        batch=batch,
        sequence=whole(fields[b"sequence"]),
        data=_job(batch, data) if kind is EventType.JOB_FINAL else _data(kind, json.loads(data)),
    )


def _job(batch: str, packed: str) -> dict[str, object]:
    row, state, category, _ = map(int, packed.split(":"))
    return {"job": str(JobId(batch, row)), "state": State(state).label, "category": category_name(category)}


def _data(kind: EventType, data: dict[str, Any]) -> dict[str, object]:
    if kind is not EventType.FINISHED:
        return data
    ended = Control(data.pop("control"))
    state = BatchState(ended.value) if ended in FINAL_STATES else BatchState.FINISHED
    counts = {State(int(number)).label: jobs for number, jobs in dict(data.pop("counts")).items()}
    return {**data, "state": state.value, "counts": counts}
