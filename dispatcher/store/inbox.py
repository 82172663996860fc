"""The inbox: callbacks stored before they are acknowledged, until a worker has settled them."""

from collections.abc import Sequence
from typing import Any

import redis

from dispatcher.store import keys
from dispatcher.store.client import Client
from dispatcher.store.errors import StoreFull, translated
from dispatcher.store.wakes import wake

_GROUP = "settle"
#: events; beyond it callbacks are refused with 503 and the provider delivers them again
MOST = 1_000_000


class Inbox:
    def __init__(self, client: Client) -> None:
        self._client = client
        self._group_exists = False

    async def add(self, events: Sequence[bytes]) -> list[bytes]:
        """Store events durably; returns their ids. Raises StoreFull when workers are hopelessly behind.

        After an error some of them may be stored, which does no harm: an event that comes again changes nothing.
        """
        with translated():
            depth = await self._client.xlen(keys.INBOX)
            if depth + len(events) > MOST:
                raise StoreFull("the inbox is full: are workers running?")
            async with self._client.pipeline(transaction=False) as pipe:
                for event in events:
                    pipe.xadd(keys.INBOX, {"event": event})
                if not depth:  # as long as it is not empty the schedulers look by themselves
                    wake(pipe)
                return list(await pipe.execute())[: len(events)]

    async def depth(self) -> int:
        with translated():
            return int(await self._client.xlen(keys.INBOX))

    async def take(self, consumer: str, most: int, idle_ms: int) -> list[tuple[str, bytes]]:
        """Events with their ids: first those that another consumer left lying for ``idle_ms``, then new ones."""
        with translated():
            if not self._group_exists:
                await self._make_group()
            claimed = await self._client.xautoclaim(keys.INBOX, _GROUP, consumer, idle_ms, count=most)
            entries = list(claimed[1])
            if len(entries) < most:
                fresh = await self._client.xreadgroup(_GROUP, consumer, {keys.INBOX: ">"}, count=most - len(entries))
                entries += _entries(fresh)
        return [(entry_id.decode(), fields[b"event"]) for entry_id, fields in entries if fields]

    async def done(self, ids: Sequence[str]) -> None:
        """These were settled, or can never be."""
        if not ids:
            return
        with translated():
            async with self._client.pipeline(transaction=True) as pipe:
                pipe.xack(keys.INBOX, _GROUP, *ids)
                pipe.xdel(keys.INBOX, *ids)
                await pipe.execute()

    async def _make_group(self) -> None:
        try:
            await self._client.xgroup_create(keys.INBOX, _GROUP, id="0", mkstream=True)
        except redis.ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise
        self._group_exists = True


def _entries(answer: Any) -> list[tuple[bytes, dict[bytes, bytes]]]:
    """The entries of our one stream; redis-py gives a list (RESP2) or a map of lists (RESP3)."""
    if isinstance(answer, dict):
        return [entry for batch in answer.values() for group in batch for entry in group]
    return [entry for _, entries in answer or [] for entry in entries]
