"""Reads records, places and counts as they are stored, for ``bulkfax doctor``."""

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from dispatcher.core.batch import Control, own_scopes
from dispatcher.core.hold_scope import HoldScope
from dispatcher.core.job import JobId, Record, State
from dispatcher.core.recovery.places import WATCHED, Place
from dispatcher.core.retry_table.rule import Scope
from dispatcher.store import codec, keys
from dispatcher.store.client import Client
from dispatcher.store.errors import translated
from dispatcher.store.lua import Scripts

#: maximum number of readings of one job that changes meanwhile
_READINGS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredBatch:
    """The facts of a batch without its rows. ``counters`` are by ``state:category:type``, as stored."""

    blocks: int
    rows: int
    cursor: int
    unstarted: int
    control: str
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredJob:
    """One job with all places in which it has an entry."""

    record: Record
    cursor: int
    places: frozenset[Place]


class Audit:
    def __init__(self, client: Client, scripts: Scripts) -> None:
        self._client = client
        self._scripts = scripts
        self._keys = scripts.keys

    async def batches(self) -> list[str]:
        with translated():
            return [name.decode() for name in await self._client.zrange(self._keys.batches, 0, -1)]

    async def facts(self, batch: str) -> StoredBatch:
        with translated():
            # no transaction, because a full server refuses MULTI
            async with self._client.pipeline(transaction=False) as pipe:
                pipe.hmget(self._keys.batch(batch), "blocks", "rows", "cursor", "unstarted", "control")
                pipe.hgetall(self._keys.of_batch(batch, "counts"))
                (blocks, rows, cursor, unstarted, control), counts = await pipe.execute()
        return StoredBatch(
            blocks=int(blocks),
            rows=int(rows),
            cursor=int(cursor),
            unstarted=int(unstarted),
            control=control.decode(),
            counts={field.decode(): int(jobs) for field, jobs in counts.items()},
        )

    async def raw_records(self, batch: str, block: int) -> list[bytes]:
        with translated():
            raw = await self._client.get(self._keys.of_block(batch, "records", block))
        return codec.split_records(raw or b"")

    async def due_rows(self, batch: str) -> set[int]:
        with translated():
            return {int(row) async for row, _ in self._client.zscan_iter(self._keys.of_batch(batch, "due"), count=1000)}

    async def parked_rows(self, batch: str) -> set[int]:
        """Return the rows of a batch that wait for the end of their country's hold."""
        with translated():
            countries = await self._client.smembers(self._keys.of_batch(batch, "parked"))
            bitmaps = [await self._client.get(self._keys.parked_rows(batch, country.decode())) for country in countries]
        return {row for bitmap in bitmaps for row in codec.rows_of(bitmap or b"")}

    async def forgotten(self, batch: str) -> list[str]:
        """Return scopes whose holds have ended although a batch still waits for them and nothing will wake it."""
        with translated():
            documents = await self._client.hget(self._keys.batch(batch), "documents")
            countries = await self._client.smembers(self._keys.of_batch(batch, "parked"))
            scopes = [*own_scopes(batch, (documents or b"").decode().split(","))]
            scopes += [str(HoldScope(Scope.COUNTRY, country.decode())) for country in countries]
            return [scope for scope in scopes if await self._is_forgotten(batch, scope)]

    async def _is_forgotten(self, batch: str, scope: str) -> bool:
        async with self._client.pipeline(transaction=False) as pipe:
            pipe.sismember(self._keys.stopped_batches(scope), batch)
            pipe.hexists(self._keys.holds, scope)
            pipe.sismember(self._keys.released, scope)
            waits, held, released = await pipe.execute()
        return bool(waits and not held and not released)

    async def watched(self) -> dict[JobId, set[Place]]:
        """Return the jobs in flight of all batches, with the watch sets that contain them."""
        places: dict[JobId, set[Place]] = {}
        with translated():
            for place, key in self._keys.watch.items():
                async for name, _ in self._client.zscan_iter(key, count=1000):
                    places.setdefault(JobId.parse(name.decode()), set()).add(place)
        return places

    async def job(self, job: JobId) -> StoredJob | None:
        """Return everything about one job; None if it does not exist.

        The job is read until two readings agree, because it may have changed in the middle of one.
        """
        facts = await self._job(job)
        for _ in range(_READINGS):
            before, facts = facts, await self._job(job)
            if facts == before:
                break
        return facts

    async def _job(self, job: JobId) -> StoredJob | None:
        block, offset = keys.locate(job)
        with translated():
            async with self._client.pipeline(transaction=False) as pipe:
                start = offset * codec.WIDTH
                pipe.getrange(self._keys.of_block(job.batch, "records", block), start, start + codec.WIDTH - 1)
                pipe.hget(self._keys.batch(job.batch), "cursor")
                pipe.zscore(self._keys.of_batch(job.batch, "due"), str(job.row))
                for key in self._keys.watch.values():
                    pipe.zscore(key, str(job))
                raw, cursor, due, *watched = await pipe.execute()
            if len(raw) != codec.WIDTH:
                return None
            record = codec.decode_record(raw)
            parked = record.country and await self._client.getbit(
                self._keys.parked_rows(job.batch, record.country), job.row
            )
        entries = zip((Place.DUE, Place.PARKED, *WATCHED), (due, parked or None, *watched), strict=True)
        places = frozenset(place for place, entry in entries if entry is not None)
        return StoredJob(record=record, cursor=int(cursor), places=places)

    async def longest_overdue_s(self, now_ms: int) -> float:
        """Return how many seconds the oldest entry of the watch sets has been due; 0 if none is."""
        oldest = now_ms
        with translated():
            for key in self._keys.watch.values():
                first = await self._client.zrange(key, 0, 0, withscores=True)
                oldest = min([oldest, *(int(score) for _, score in first)])
        return (now_ms - oldest) / 1000

    async def oldest_event_s(self, now_ms: int) -> float:
        """Return the age of the oldest event in the inbox in seconds; 0 if it is empty."""
        with translated():
            first = await self._client.xrange(self._keys.inbox, count=1)
        return (now_ms - int(first[0][0].split(b"-")[0])) / 1000 if first else 0.0

    async def drafts(self, now_ms: int) -> tuple[int, float]:
        """Return the number of open drafts, and for how many seconds the oldest has not changed."""
        with translated():
            first = await self._client.zrange(self._keys.drafts, 0, 0, withscores=True)
            drafts = int(await self._client.zcard(self._keys.drafts))
        return drafts, max(0.0, (now_ms - first[0][1]) / 1000) if first else 0.0

    async def has_ended(self, scope: str) -> bool:
        """Return whether the job or batch that a hold names is final or does not exist."""
        held = HoldScope.parse(scope)
        match held.kind:
            case Scope.DOCUMENT:
                with translated():
                    return not await self._client.hexists(self._keys.documents, held.name)
            case Scope.JOB:
                job = JobId.parse(held.name)
                return await self._job_has_ended(job) or await self._batch_has_ended(job.batch)
            case Scope.BATCH:
                return await self._batch_has_ended(held.name)
        return False

    async def _job_has_ended(self, job: JobId) -> bool:
        facts = await self.job(job)
        return facts is None or facts.record.state is State.VOID or facts.record.state.final

    async def _batch_has_ended(self, batch: str) -> bool:
        with translated():
            control, finished_ms = await self._client.hmget(self._keys.batch(batch), "control", "finished_ms")
        ended = (Control.CANCELLED, Control.EXPIRED)
        return control is None or Control(control.decode()) in ended or finished_ms is not None

    async def locks(self) -> list[JobId]:
        """Return the jobs that hold the lock of a number."""
        with translated():
            return [JobId.parse(name.decode()) for name in await self._client.hkeys(self._keys.locks)]

    async def unlock(self, job: JobId) -> bool:
        """Release the number that a job locks without calling it. Returns False if it calls the number by now."""
        return bool(await self._scripts.run("unlock", job=str(job)))

    async def repair(self, job: JobId) -> bool:
        """Move a job to the place that its record demands. Returns False if it is there already."""
        return bool(await self._scripts.run("repair", job=str(job)))

    async def recount(self, batch: str, before: Mapping[str, int], after: Mapping[str, int]) -> bool:
        """Replace the counts of a batch. Returns False if jobs have changed since the counts were read."""
        return bool(await self._scripts.run("recount", batch=batch, before=before, after=after))

    async def skew_s(self) -> float:
        """Return the difference between this machine's clock and the server's, in seconds."""
        with translated():
            seconds, micros = await self._client.time()
        return time.time() - (int(seconds) + int(micros) / 1e6)


def count_field(raw: bytes) -> str:
    """Return the field of the counts hash under which a record counts (``prelude/counts.lua``)."""
    return f"{raw[0]}:{raw[12]}:{raw[13]}"


def tally(records: list[bytes], first_row: int, cursor: int, ended: int | None) -> Counter[str]:
    """Count the records of one block. Unstarted rows of an ended batch count as ``ended``; void rows do not count."""
    counts: Counter[str] = Counter()
    for index, raw in enumerate(records):
        if raw[0] == State.VOID:
            continue
        unstarted = raw[0] == State.WAITING and first_row + index >= cursor
        counts[f"{ended}:0:0" if unstarted and ended is not None else count_field(raw)] += 1
    return counts
