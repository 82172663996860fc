"""Measures how much memory batches take, and finds and removes keys of batches that are gone."""

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass

from dispatcher.store.client import Client
from dispatcher.store.decoding import whole_or_0
from dispatcher.store.errors import translated
from dispatcher.store.keys import BATCH_PARTS, BLOCK_PARTS, MAX_BLOCKS, Keys

#: blocks of a batch that are measured, and elements of a key that the server looks at
_BLOCKS, _SAMPLES = 3, 5
#: batches that are read in one call, and keys that are read or removed in one call
_BATCHES, _KEYS = 500, 500


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

    async def orphans(self) -> list[OrphanKeys]:
        """Return the batches that have keys and are gone, with the number of keys.

        A batch with a hash may be sending, even if a damaged index does not name it. The keys are looked at before the
        index: a batch that is created meanwhile is in it.
        """
        counts = dict[str, int]()
        async for batches in self._batches_with_keys():
            for batch in batches:
                counts[batch] = counts.get(batch, 0) + 1
        names = list(counts)
        gone = [name for name, known in zip(names, await self._are_known(names), strict=True) if not known]
        return [OrphanKeys(batch=name, keys=counts[name]) for name in gone]

    async def remove(self, batch: str) -> int:
        """Remove the keys of a batch that is gone, in bounded steps. Returns their number."""
        removed = 0
        if (await self._are_known([batch]))[0]:
            return removed
        async for names in self._scan(f"{_escaped(self._keys.batch(batch))}*"):
            own = [name for name in names if self._batch_of(name) == batch]
            if own:
                with translated():
                    removed += int(await self._client.unlink(*own))
        return removed

    async def _batches_with_keys(self) -> AsyncIterator[list[str]]:
        async for names in self._scan(f"{_escaped(self._keys.batch(''))}*"):
            yield [self._batch_of(name) for name in names]

    async def _scan(self, pattern: str) -> AsyncIterator[list[str]]:
        cursor = 0
        while True:
            with translated():
                cursor, names = await self._client.scan(cursor, match=pattern, count=_KEYS)
            yield [name.decode(errors="replace") for name in names]
            if not cursor:
                return

    def _batch_of(self, key: str) -> str:
        return key.removeprefix(self._keys.batch("")).partition(":")[0]

    async def _are_known(self, batches: Sequence[str]) -> list[bool]:
        """Return of each batch whether it has a hash, is in the index or is being deleted."""
        known = []
        for first in range(0, len(batches), _BATCHES):
            chunk = batches[first : first + _BATCHES]
            with translated():
                async with self._client.pipeline(transaction=False) as pipe:
                    pipe.zmscore(self._keys.batches, chunk)
                    pipe.zmscore(self._keys.deleting, chunk)
                    for batch in chunk:
                        pipe.exists(self._keys.batch(batch))
                    listed, deleting, *exist = await pipe.execute()
            known += [
                here is not None or there is not None or bool(hash_exists)
                for here, there, hash_exists in zip(listed, deleting, exist, strict=True)
            ]
        return known


def _size(batch: str, answer: object) -> BatchSize:
    if not isinstance(answer, list):
        return BatchSize(batch=batch, blocks=0, rows=0)
    blocks, rows = map(whole_or_0, answer)
    return BatchSize(batch=batch, blocks=min(blocks, MAX_BLOCKS), rows=rows)


def _escaped(key: str) -> str:
    """Return a key as a pattern that matches nothing else."""
    return "".join(f"\\{char}" if char in "*?[]\\" else char for char in key)
