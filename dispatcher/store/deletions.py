"""Stores which batches were deleted, removes their keys in bounded steps, and finds what has ended long ago."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dispatcher.store.client import Client
from dispatcher.store.decoding import whole_or_0
from dispatcher.store.errors import translated
from dispatcher.store.lua import Scripts

#: maximum rows that one call of a script removes
_ROWS_PER_CALL = 1000
#: maximum ids of deleted batches that are forgotten in one call, and names that are looked at in one call
_PER_CALL = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class RemovedRows:
    """What a step has removed, and how many deleted batches still have keys."""

    rows: int
    batches: int
    left: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OldNames:
    """Some names in the order of their age, and which of them are due. ``last``: there are no others."""

    names: Sequence[str]
    due: frozenset[str]
    last: bool


class Deletions:
    def __init__(self, client: Client, scripts: Scripts) -> None:
        self._client = client
        self._scripts = scripts
        self._keys = scripts.keys

    async def deleted(self, batches: Iterable[str]) -> frozenset[str]:
        """Return which of the batches were deleted, as long as that is known."""
        names = list(dict.fromkeys(batches))
        if not names:
            return frozenset()
        with translated():
            scores = await self._client.zmscore(self._keys.deleted, names)
        return frozenset(name for name, score in zip(names, scores, strict=True) if score is not None)

    async def under_way(self) -> int:
        """Return the number of deleted batches of which keys are left."""
        with translated():
            return int(await self._client.zcard(self._keys.deleting))

    async def remove_rows(self) -> RemovedRows:
        """Remove some keys of deleted batches."""
        rows, batches, left = await self._scripts.run("remove_rows", max_rows=_ROWS_PER_CALL)
        return RemovedRows(rows=rows, batches=batches, left=left)

    async def forget(self, now_ms: int) -> int:
        """Forget the ids of some batches that were deleted long ago. Returns how many."""
        with translated():
            names = await self._client.zrangebyscore(self._keys.deleted, "-inf", now_ms, start=0, num=_PER_CALL)
            # a request may have named it meanwhile; then it is still not that of a batch that is stored
            return int(await self._client.zrem(self._keys.deleted, *names)) if names else 0

    async def ended_before(self, ended_ms: int, first: int) -> OldNames:
        """Return batches that ended before a time, among some of those that were created before it, from ``first`` on.

        Several calls see all of them, and the batches that have not ended never stand in the way of others.
        """
        with translated():
            names = await self._client.zrangebyscore(self._keys.batches, "-inf", ended_ms, start=first, num=_PER_CALL)
            async with self._client.pipeline(transaction=False) as pipe:
                for name in names:
                    pipe.hget(self._keys.batch(name.decode(errors="replace")), "finished_ms")
                ends = await pipe.execute(raise_on_error=False) if names else []
        texts = [name.decode(errors="replace") for name in names]
        # what cannot be read is left for `bulkfax doctor`
        due = (name for name, end in zip(texts, ends, strict=True) if 0 < _end(end) <= ended_ms)
        return OldNames(names=texts, due=frozenset(due), last=len(texts) < _PER_CALL)

    async def unused_documents(self, used_ms: int, first: int) -> OldNames:
        """Return some documents that were used last before a time, from ``first`` on. Batches may still need them."""
        with translated():
            names = await self._client.zrangebyscore(
                self._keys.documents_used, "-inf", used_ms, start=first, num=_PER_CALL
            )
        texts = [name.decode(errors="replace") for name in names]
        return OldNames(names=texts, due=frozenset(texts), last=len(texts) < _PER_CALL)


def _end(stored: object) -> int:
    """Return when a batch ended (ms); 0 if it has not, or nobody can read it."""
    return whole_or_0(stored) if isinstance(stored, bytes) else 0
