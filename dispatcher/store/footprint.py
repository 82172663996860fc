"""Measures how much memory batches take, and finds keys of batches that are gone, or that the list does not name."""

from collections import Counter
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from dispatcher.core.batch import Control
from dispatcher.store.batches import decode_definition
from dispatcher.store.client import Client
from dispatcher.store.decoding import decoding, whole_or_0
from dispatcher.store.errors import UnreadableData, translated
from dispatcher.store.keys import BATCH_PARTS, BLOCK_PARTS, MAX_BLOCKS, Keys

#: blocks of a batch that are measured, and elements of a key that the server looks at
_BLOCKS, _SAMPLES = 3, 5
#: batches that are read in one call, and keys that are read or removed in one call
_BATCHES, _KEYS = 500, 500
_DELETING = Control.DELETING.value.encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchSize:
    """How many blocks and jobs a batch has."""

    batch: str
    blocks: int
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OrphanKeys:
    """Keys of a batch that is gone: it has no hash, is not in the index and is not being deleted."""

    batch: str
    keys: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Strays:
    """What the list of batches does not name: batches that are gone, and batches that have a hash all the same."""

    orphans: Sequence[OrphanKeys]
    unlisted: Sequence[str]


class _Standing(Enum):
    """What is known of a name under which there are keys."""

    #: it is in the list, or is being deleted
    KNOWN = auto()
    #: it has a hash, so it may be sending
    UNLISTED = auto()
    GONE = auto()


class Footprint:
    """Reads keys one by one or in bounded steps, so that nothing has to wait for it."""

    def __init__(self, client: Client, keys: Keys) -> None:
        self._client = client
        self._keys = keys

    async def sizes(self, batches: Sequence[str]) -> list[BatchSize]:
        """Return how many blocks and jobs each batch has; 0 for what cannot be read."""
        sizes = []
        for first in range(0, len(batches), _BATCHES):
            chunk = batches[first : first + _BATCHES]
            with translated():
                async with self._client.pipeline(transaction=False) as pipe:
                    for batch in chunk:
                        pipe.hmget(self._keys.batch(batch), "blocks", "rows")
                    answers = await pipe.execute(raise_on_error=False)
            sizes += [_size(batch, answer) for batch, answer in zip(chunk, answers, strict=True)]
        return sizes

    async def weigh(self, size: BatchSize) -> int:
        """Return about how many bytes a batch takes: some of its blocks are measured, and stand for all."""
        own = [self._keys.batch(size.batch), *(self._keys.of_batch(size.batch, part) for part in BATCH_PARTS)]
        looked = [position * size.blocks // min(size.blocks, _BLOCKS) for position in range(min(size.blocks, _BLOCKS))]
        blocks = [self._keys.of_block(size.batch, part, block) for block in looked for part in BLOCK_PARTS]
        weights = await self._weights([*own, *blocks])
        of_blocks = sum(weights[len(own) :])
        return sum(weights[: len(own)]) + (of_blocks * size.blocks // len(looked) if looked else 0)

    async def _weights(self, keys: Iterable[str]) -> list[int]:
        with translated():
            async with self._client.pipeline(transaction=False) as pipe:
                for key in keys:
                    pipe.memory_usage(key, samples=_SAMPLES)
                # nothing for a key that does not exist
                return [answer or 0 for answer in await pipe.execute()]

    async def strays(self) -> Strays:
        """Return the batches that have keys, and that the list does not name.

        The keys are looked at before the list: a batch that is created meanwhile is in it. What seems to be gone is
        looked at again afterwards: a deletion may have ended meanwhile.
        """
        names = set[str]()
        async for keys in self._scan():
            names.update(map(self._batch_of, keys))
        standing = await self._standing(sorted(names))
        gone = {name for name, known in standing.items() if known is _Standing.GONE}
        counts = Counter[str]()
        if gone:
            async for keys in self._scan():
                counts.update(name for name in map(self._batch_of, keys) if name in gone)
        return Strays(
            orphans=[OrphanKeys(batch=name, keys=keys) for name, keys in counts.most_common()],
            unlisted=[name for name, known in standing.items() if known is _Standing.UNLISTED],
        )

    async def remove(self, batches: Collection[str]) -> int:
        """Remove the keys of batches that are gone, in bounded steps. Returns their number."""
        standing = await self._standing(sorted(batches))
        gone = {name for name, known in standing.items() if known is _Standing.GONE}
        removed = 0
        if not gone:
            return removed
        async for keys in self._scan():
            own = [key for key in keys if self._batch_of(key) in gone]
            if own:
                with translated():
                    removed += int(await self._client.unlink(*own))
        return removed

    async def list_again(self, batch: str) -> bool:
        """Put a batch that has a hash back into its list: of all batches, or of those that are being deleted.

        Returns False for one without a definition.
        """
        with translated():
            raw = await self._client.hget(self._keys.batch(batch), "definition")
        if raw is None:
            return False
        try:
            with decoding(self._keys.batch(batch)):
                created_ms = decode_definition(raw).created_ms
        except UnreadableData:
            created_ms = 0
        with translated():
            await self._client.zadd(self._keys.batches, {batch: created_ms}, nx=True)
            control = await self._client.hget(self._keys.batch(batch), "control")
            if control in (None, _DELETING):
                await self._client.zrem(self._keys.batches, batch)  # perhaps it was deleted meanwhile
            if control == _DELETING:
                # the score says since when; nothing is lost if it is wrong
                await self._client.zadd(self._keys.deleting, {batch: created_ms}, nx=True)
        return True

    async def _scan(self) -> AsyncIterator[list[str]]:
        """Yield the keys of batches."""
        cursor, pattern = 0, f"{_escaped(self._keys.batch(''))}*"
        while True:
            with translated():
                cursor, names = await self._client.scan(cursor, match=pattern, count=_KEYS)
            yield [name.decode(errors="replace") for name in names]
            if not cursor:
                return

    def _batch_of(self, key: str) -> str:
        return key.removeprefix(self._keys.batch("")).partition(":")[0]

    async def _standing(self, batches: Sequence[str]) -> dict[str, _Standing]:
        standing = dict[str, _Standing]()
        for first in range(0, len(batches), _BATCHES):
            chunk = batches[first : first + _BATCHES]
            with translated():
                async with self._client.pipeline(transaction=False) as pipe:
                    pipe.zmscore(self._keys.batches, chunk)
                    pipe.zmscore(self._keys.deleting, chunk)
                    for batch in chunk:
                        pipe.exists(self._keys.batch(batch))
                    listed, deleting, *exist = await pipe.execute()
            for batch, here, there, hash_exists in zip(chunk, listed, deleting, exist, strict=True):
                missing = _Standing.UNLISTED if hash_exists else _Standing.GONE
                standing[batch] = missing if here is None and there is None else _Standing.KNOWN
        return standing


def _size(batch: str, answer: object) -> BatchSize:
    if not isinstance(answer, list):
        return BatchSize(batch=batch, blocks=0, rows=0)
    blocks, rows = map(whole_or_0, answer)
    return BatchSize(batch=batch, blocks=min(blocks, MAX_BLOCKS), rows=rows)


def _escaped(key: str) -> str:
    """Return a key as a pattern that matches nothing else."""
    return "".join(f"\\{char}" if char in "*?[]\\" else char for char in key)
