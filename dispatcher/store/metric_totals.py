"""Stores the counters of the whole cluster, so that they are correct with several processes and after restarts.

A field is the metric's name and its label values joined by ``|``. Counters of a job's transitions are increased by the
script that changes the job; this module adds the others.
"""

from collections.abc import Mapping

from dispatcher.store.client import Client
from dispatcher.store.decoding import readable, whole
from dispatcher.store.errors import translated
from dispatcher.store.keys import Keys


def field(name: str, *labels: str) -> str:
    return "|".join((name, *labels))


class MetricTotals:
    def __init__(self, client: Client, keys: Keys) -> None:
        self._client = client
        self._keys = keys

    async def count(self, name: str, labels: tuple[str, ...] = (), by: int = 1) -> None:
        with translated():
            await self._client.hincrby(self._keys.totals, field(name, *labels), by)

    async def add(self, sums: Mapping[str, int]) -> None:
        """Increase several counters, given by their fields."""
        with translated():
            async with self._client.pipeline(transaction=True) as pipe:
                for name, by in sums.items():
                    pipe.hincrby(self._keys.totals, name, by)
                await pipe.execute()

    async def all(self) -> Mapping[tuple[str, ...], int]:
        """Return all counters by (name, label value, ...), without those that cannot be read."""
        with translated():
            raw = await self._client.hgetall(self._keys.totals)
        return dict(readable(self._keys.totals, raw.items(), _counter))


def _counter(item: tuple[bytes, bytes]) -> tuple[tuple[str, ...], int]:
    name, value = item
    return tuple(name.decode().split("|")), whole(value)
