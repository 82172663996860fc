"""The inbox: callbacks stored before they are acknowledged, until a worker has settled them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import redis

from dispatcher.store.client import Client
from dispatcher.store.errors import StoreFull, translated
from dispatcher.store.lua import Scripts

_GROUP = "settle"
#: has events until somebody takes them over
_NOBODY = "nobody"
#: a consumer that has asked for nothing for so long has ended (ms); one that has not comes back with its next question
_ENDED_MS = 3_600_000
#: events whose idle time one command restarts
_RESTARTED = 200
#: events; beyond it callbacks are refused with 503 and the provider delivers them again
MAX_EVENTS = 1_000_000
#: events that could not be settled and are kept to be looked at; the oldest make room
MAX_FAILED = 1_000
#: events that wait to be confirmed; of more than these only what the provider is asked by itself is learned
MAX_DEFERRED = 100_000

#: an event with its id
Entry = tuple[str, bytes]
#: in place of the id of an event that was deferred
DEFERRED = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedEvent:
    """An event that could not be settled, of the inbox or a deferred one."""

    #: in the inbox; ``DEFERRED`` for one that is not in it any more
    id: str
    event: bytes
    #: for people
    reason: str


class Inbox:
    def __init__(self, client: Client, scripts: Scripts) -> None:
        self._client = client
        self._scripts = scripts
        self._keys = scripts.keys
        self._group_exists = False

    async def add(self, events: Sequence[bytes]) -> list[bytes]:
        """Store events durably; returns their ids. Raises StoreFull when workers are hopelessly behind.

        After an error they may be stored, which does no harm: an event that comes again changes nothing.
        """
        ids = list(await self._scripts.run("add_events", *events, max_events=MAX_EVENTS))
        if len(ids) < len(events):
            raise StoreFull("the inbox is full: are workers running?")
        return ids

    async def depth(self) -> int:
        with translated():
            return int(await self._client.xlen(self._keys.inbox))

    async def take(self, consumer: str, most: int, idle_ms: int) -> list[Entry]:
        """Events with their ids: first those that another consumer left lying for ``idle_ms``, then new ones."""
        with translated():
            if not self._group_exists:
                await self._join()
            claimed = await self._client.xautoclaim(self._keys.inbox, _GROUP, consumer, idle_ms, count=most)
            entries = list(claimed[1])
            if len(entries) < most:
                fresh = await self._client.xreadgroup(
                    _GROUP, consumer, {self._keys.inbox: ">"}, count=most - len(entries)
                )
                entries += _entries(fresh)
        return [(entry_id.decode(), fields[b"event"]) for entry_id, fields in entries if fields]

    async def restart_idle_times(self) -> None:
        """Count from now on how long consumers have left lying what they took.

        The server keeps when an entry was taken, by its own clock. After the clock was set back that is a time to come,
        and nobody would take over the events of a consumer that has ended until the clock gets there.
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
        """These were settled, or can never be, or were deferred."""
        if not entries:
            return
        with translated():
            async with self._client.pipeline(transaction=True) as pipe:
                self._remove(pipe, entries)
                await pipe.execute()

    async def ready(self, now_ms: int) -> int:
        """Events that can be settled now: those in the inbox, and the deferred ones whose time has come."""
        with translated():
            async with self._client.pipeline(transaction=False) as pipe:
                pipe.xlen(self._keys.inbox)
                pipe.zcount(self._keys.inbox_deferred, "-inf", now_ms)
                return sum(await pipe.execute())

    async def defer(self, event: bytes, again_ms: int) -> bool:
        """Keep an event until a later time. False when too many are kept."""
        return bool(await self._scripts.run("defer", event, max_events=MAX_DEFERRED, again_ms=again_ms))

    async def take_deferred(self, max_events: int, again_ms: int) -> list[bytes]:
        """Events whose time has come; each comes again after ``again_ms`` unless it is done or deferred anew."""
        return list(await self._scripts.run("take_deferred", max_events=max_events, again_ms=again_ms) or ())

    async def set_aside(self, failed: Sequence[FailedEvent]) -> None:
        """Keep events that cannot be settled, with the reason, where they are in nobody's way."""
        if not failed:
            return
        with translated():
            async with self._client.pipeline(transaction=True) as pipe:
                pipe.lpush(self._keys.inbox_failed, *map(_encode_failed, failed))
                pipe.ltrim(self._keys.inbox_failed, 0, MAX_FAILED - 1)
                self._remove(pipe, [(event.id, event.event) for event in failed])
                await pipe.execute()

    async def failed(self) -> list[FailedEvent]:
        """Those that were set aside, the newest first."""
        with translated():
            return [_decode_failed(raw) for raw in await self._client.lrange(self._keys.inbox_failed, 0, -1)]

    async def retry_failed(self) -> int:
        """Put those back that were set aside; returns how many. What cannot be settled yet comes here again."""
        with translated():
            raw = await self._client.lrange(self._keys.inbox_failed, 0, -1)
        if not raw:
            return 0
        await self.add([_decode_failed(one).event for one in raw])
        with translated():
            async with self._client.pipeline(transaction=True) as pipe:
                for one in raw:
                    pipe.lrem(self._keys.inbox_failed, -1, one)
                await pipe.execute()
        return len(raw)

    def _remove(self, pipe: Client, entries: Sequence[Entry]) -> None:
        """Add to other commands those that take events from where they lie."""
        if ids := [entry_id for entry_id, _ in entries if entry_id != DEFERRED]:
            pipe.xack(self._keys.inbox, _GROUP, *ids)
            pipe.xdel(self._keys.inbox, *ids)
        if deferred := [event for entry_id, event in entries if entry_id == DEFERRED]:
            pipe.zrem(self._keys.inbox_deferred, *deferred)

    async def _join(self) -> None:
        """Make the group, and remove the consumers of processes that ended long ago."""
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
    fields = json.loads(raw)
    return FailedEvent(id=fields["id"], reason=fields["reason"], event=fields["event"].encode("latin-1"))


def _entries(answer: Any) -> list[tuple[bytes, dict[bytes, bytes]]]:
    """The entries of our one stream; redis-py gives a list (RESP2) or a map of lists (RESP3)."""
    if isinstance(answer, dict):
        return [entry for batch in answer.values() for group in batch for entry in group]
    return [entry for _, entries in answer or [] for entry in entries]
