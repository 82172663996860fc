"""The doctor's check of memory: what each batch weighs."""

import heapq
from dataclasses import dataclass

from dispatcher.core.counted import counted
from dispatcher.store.footprint import BatchSize
from dispatcher.store.store import Store

#: batches that are weighed, those with the most jobs
_WEIGHED = 200
_MB = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Weight:
    """About how much memory a batch takes."""

    batch: str
    jobs: int
    size_bytes: int

    def __str__(self) -> str:
        return f"{self.batch}  {self.size_bytes / _MB:,.1f} MB  {counted(self.jobs, 'job')}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """The batches that were weighed, the heaviest first, and how many there are in all."""

    weighed: tuple[Weight, ...]
    batches: int

    @property
    def sentence(self) -> str:
        if not self.weighed:
            return "there are no batches"
        total = sum(weight.size_bytes for weight in self.weighed) / _MB
        which = "" if len(self.weighed) == self.batches else f", the largest of {self.batches:,},"
        return f"{counted(len(self.weighed), 'batch', 'batches')}{which} take about {total:,.1f} MB, the heaviest first"


async def weigh_batches(store: Store) -> Weights:
    """Weigh the batches with the most jobs. Of each, some blocks are measured."""
    batches = await store.audit.batches()
    sizes = await store.footprint.sizes(batches)
    largest = heapq.nlargest(_WEIGHED, sizes, key=lambda size: size.rows)
    weights = [await _weigh(store, size) for size in largest]
    weights.sort(key=lambda weight: -weight.size_bytes)
    return Weights(weighed=tuple(weights), batches=len(batches))


async def _weigh(store: Store, size: BatchSize) -> Weight:
    return Weight(batch=size.batch, jobs=size.rows, size_bytes=await store.footprint.weigh(size))
