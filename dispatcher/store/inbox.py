"""Stores callbacks before they are acknowledged, until a worker has settled them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import redis

from dispatcher.store.client import Client
from dispatcher.store.decoding import decoding, typed, whole_or_0
from dispatcher.store.errors import StoreFull, UnreadableData, translated
from dispatcher.store.lua import Scripts

_GROUP = "settle"
#: consumer that holds events until another one takes them over
_NOBODY = "nobody"
#: milliseconds without a request after which a consumer is removed; one that still runs is added by its next request
_ENDED_MS = 3_600_000
#: maximum number of events whose idle time one command restarts
_RESTARTED = 200
#: maximum number of events; beyond it callbacks are refused with 503, and the provider delivers them again
MAX_EVENTS = 1_000_000
#: maximum number of events that could not be settled and are kept for people; the oldest are dropped
MAX_FAILED = 1_000
#: maximum number of deferred events; further ones are dropped, and polling finds their results
MAX_DEFERRED = 100_000

#: id and content of an event
Entry = tuple[str, bytes]
#: stands for the id of an event that was deferred
DEFERRED = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedEvent:
    """An event of the inbox, or a deferred one, that could not be settled."""

    #: id in the inbox; ``DEFERRED`` for an event that was deferred
    id: str
    event: bytes
    #: why it could not be settled, for people
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """Events that a consumer has taken."""

    entries: Sequence[Entry]
    #: how many times those were taken that were taken before, by their ids
    times: Mapping[str, int]


class Inbox:
    def __init__(self, client: Client, scripts: Scripts) -> None:
        self._client = client
        self._scripts = scripts
        self._keys = scripts.keys
        self._group_exists = False

    async def add(self, events: Sequence[bytes]) -> list[bytes]:
        """Store events and return their ids. Raises StoreFull if the inbox is full.

        After another error they may be stored nevertheless. That does no harm: a repeated event changes nothing.
        """
        ids = list(await self._scripts.run("add_events", *events, max_events=MAX_EVENTS))
        if len(ids) < len(events):
            raise StoreFull("the inbox is full: are workers running?")
        return ids

    async def depth(self) -> int:
        with translated():
            return int(await self._client.xlen(self._keys.inbox))

    async def last_ms(self) -> int:
        """Return when the last callback was stored, in milliseconds since 1970; 0 for never."""
        with translated():
            if not await self._client.exists(self._keys.inbox):
                return 0
            last = (await self._client.xinfo_stream(self._keys.inbox))["last-generated-id"]
        return whole_or_0(last.partition(b"-")[0])

    async def take(self, consumer: str, max_events: int, idle_ms: int) -> Taken:
        """Take events: first those that a consumer took more than ``idle_ms`` ago, then new ones."""
        with translated():
            if not self._group_exists:
                await self._join()
            _, left, *_ = await self._client.xautoclaim(self._keys.inbox, _GROUP, consumer, idle_ms, count=max_events)
            times = await self._times(consumer, left) if left else {}
            fresh = []
            if len(left) < max_events:
                fresh = await self._client.xreadgroup(
                    _GROUP, consumer, {self._keys.inbox: ">"}, count=max_events - len(left)
                )
        events = [*left, *_entries(fresh)]
        entries = [(entry_id.decode(), fields.get(b"event", b"")) for entry_id, fields in events if fields]
        return Taken(entries=entries, times=times)

    async def _times(self, consumer: str, left: Sequence[tuple[bytes, object]]) -> dict[str, int]:
        """Return how many times each of these events was taken, by its id, as ``consumer`` has just taken them."""
        first, last = left[0][0], left[-1][0]
        pending = await self._client.xpending_range(
            self._keys.inbox, _GROUP, first, last, len(left), consumername=consumer
        )
        return {item["message_id"].decode(): int(item["times_delivered"]) for item in pending}

    async def restart_idle_times(self) -> None:
        """Restart the idle times of all events that consumers have taken.

        The server stores when an entry was taken, by its own clock. After the clock was set back that time lies in the
        future, and the events of a consumer that has ended would not be taken over until the clock reaches it.
        """
        with translated():
            if not self._group_exists:
                await self._join()
            start = b"0-0"
            while True:
                start, *_ = await self._client.xautoclaim(self._keys.inbox, _GROUP, _NOBODY, 0, start, count=_RESTARTED)
                if start == b"0-0":
                    return

    async def done(self, entries: Sequence[Entry]) -> None:
        """Remove events that were settled, cannot be settled, or were deferred."""
        if not entries:
            return
        with translated():
            async with self._client.pipeline(transaction=True) as pipe:
                self._remove(pipe, entries)
                await pipe.execute()

    async def ready(self, now_ms: int) -> int:
        """Return the number of events that can be settled now: those in the inbox, and deferred ones that are due."""
        with translated():
            async with self._client.pipeline(transaction=False) as pipe:
                pipe.xlen(self._keys.inbox)
                pipe.zcount(self._keys.inbox_deferred, "-inf", now_ms)
                return sum(await pipe.execute())

    async def defer(self, event: bytes, again_ms: int) -> bool:
        """Keep an event until a later time. Returns False if too many events are deferred."""
        return bool(await self._scripts.run("defer", event, max_events=MAX_DEFERRED, again_ms=again_ms))

    async def take_deferred(self, max_events: int, again_ms: int) -> list[bytes]:
        """Return deferred events that are due. Each is due again after ``again_ms`` unless it is done or deferred."""
        return list(await self._scripts.run("take_deferred", max_events=max_events, again_ms=again_ms) or ())

    async def set_aside(self, failed: Sequence[FailedEvent]) -> None:
        """Move events that cannot be settled out of the inbox, and keep them with the reason."""
        if not failed:
            return
        with translated():
            async with self._client.pipeline(transaction=True) as pipe:
                pipe.lpush(self._keys.inbox_failed, *map(_encode_failed, failed))
                pipe.ltrim(self._keys.inbox_failed, 0, MAX_FAILED - 1)
                self._remove(pipe, [(event.id, event.event) for event in failed])
                await pipe.execute()

    async def failed(self) -> list[FailedEvent]:
        """Return the events that were set aside, the newest first."""
        with translated():
            return [_decode_failed(raw) for raw in await self._client.lrange(self._keys.inbox_failed, 0, -1)]

    async def retry_failed(self) -> int:
        """Put events that were set aside back into the inbox. Returns their number."""
        with translated():
            raw = await self._client.lrange(self._keys.inbox_failed, 0, -1)
        if not raw:
            return 0
        await self.add([_decode_failed(entry).event for entry in raw])
        with translated():
            async with self._client.pipeline(transaction=True) as pipe:
                for entry in raw:
                    pipe.lrem(self._keys.inbox_failed, -1, entry)
                await pipe.execute()
        return len(raw)

    def _remove(self, pipe: Client, entries: Sequence[Entry]) -> None:
        """Add the commands that remove events from the inbox or the deferred ones to a pipeline."""
        if ids := [entry_id for entry_id, _ in entries if entry_id != DEFERRED]:
            pipe.xack(self._keys.inbox, _GROUP, *ids)
            pipe.xdel(self._keys.inbox, *ids)
        if deferred := [event for entry_id, event in entries if entry_id == DEFERRED]:
            pipe.zrem(self._keys.inbox_deferred, *deferred)

    async def _join(self) -> None:
        """Create the consumer group, and remove the consumers of processes that ended long ago."""
        try:
            await self._client.xgroup_create(self._keys.inbox, _GROUP, id="0", mkstream=True)
        except redis.ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise
        await self._scripts.run("remove_consumers", group=_GROUP, ended_ms=_ENDED_MS)
        self._group_exists = True


def _encode_failed(failed: FailedEvent) -> str:
    return json.dumps({"id": failed.id, "reason": failed.reason, "event": failed.event.decode("latin-1")})


def _decode_failed(raw: bytes) -> FailedEvent:
    """Decode an event that was set aside. One that cannot be decoded is its own content."""
    try:
        with decoding("inbox:failed"):
            fields = json.loads(raw)
            event = fields["event"].encode("latin-1")
            return typed(FailedEvent, {"id": fields["id"], "reason": fields["reason"], "event": event})
    except UnreadableData as error:
        return FailedEvent(id=DEFERRED, event=raw, reason=error.reason)


def _entries(answer: Any) -> list[tuple[bytes, dict[bytes, bytes]]]:
    """Return the entries of the only stream; redis-py returns a list (RESP2) or a map of lists (RESP3)."""
    if isinstance(answer, dict):
        return [entry for batch in answer.values() for group in batch for entry in group]
    return [entry for _, entries in answer or [] for entry in entries]
