"""Reads records, places and counts as they are stored, for ``bulkfax doctor``."""

import json
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from dispatcher.core.batch import Control, own_scopes
from dispatcher.core.hold_scope import HoldScope
from dispatcher.core.job import JOB_STATES, JobId, Record, State
from dispatcher.core.progress import MINUTE_MS
from dispatcher.core.recovery.places import WATCHED, Place
from dispatcher.core.retry_table.rule import Scope
from dispatcher.store import codec, keys
from dispatcher.store.batches import complete_record
from dispatcher.store.client import Client
from dispatcher.store.decoding import decoding, finite, readable, whole, whole_or_0
from dispatcher.store.errors import UnreadableData, translated
from dispatcher.store.lua import Scripts

#: maximum number of readings of one job that changes meanwhile
_READINGS = 5
_COUNTED = frozenset(JOB_STATES)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredBatch:
    """The facts of a batch without its rows. ``counts`` are by ``state:category:type``, as stored."""

    batch: str
    blocks: int
    rows: int
    cursor: int
    unstarted: int
    control: str
    counts: Mapping[str, int]
    #: jobs that wait after a failure by ``category:minute``, as stored
    waits: Mapping[str, int]


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
            return [name.decode(errors="replace") for name in await self._client.zrange(self._keys.batches, 0, -1)]

    async def documents(self) -> list[str]:
        with translated():
            return [name.decode(errors="replace") for name in await self._client.hkeys(self._keys.documents)]

    async def damaged_jobs(self, batch: str, block: int, rows: int) -> dict[str, str]:
        """Return the jobs of a block of ``rows`` whose record or history cannot be read, with the reason."""
        first, names = block * keys.BLOCK, self._keys
        try:
            with translated():
                raw = await self._client.get(names.of_block(batch, "records", block))
                histories = await self._client.hgetall(names.of_block(batch, "history", block))
                long_ids = await self._client.hgetall(names.of_block(batch, "long_ids", block))
        except UnreadableData as error:
            return {str(JobId(batch, first)): f"the whole block: {error.reason}"}
        damaged: dict[str, str] = {}
        if len(raw or b"") // codec.WIDTH < rows:
            damaged[str(JobId(batch, first + len(raw or b"") // codec.WIDTH))] = "its record and all behind it"
        for row, record in enumerate(codec.readable_records(raw or b""), start=first):
            whole_record = complete_record(record, row, None, 0, long_ids.get(b"%d" % row, b""))
            if whole_record.state is State.UNREADABLE:
                damaged[str(JobId(batch, row))] = "its record"
        for field, lines in histories.items():
            try:
                with decoding("history"):
                    JobId(batch, whole(field))
                    codec.decode_history(lines)
            except UnreadableData as error:
                damaged[f"{batch}.{field.decode(errors='replace')}"] = f"its history: {error.reason}"
        return damaged

    async def damaged_values(self) -> list[str]:
        """Return which values of the account, outside of batches, cannot be read."""
        with translated():
            totals = await self._client.hgetall(self._keys.totals)
            limiter = await self._client.hgetall(self._keys.limiter)
            watched = [name for key in self._keys.watch.values() for name in await self._client.zrange(key, 0, -1)]
            locks = await self._client.hkeys(self._keys.locks)
        return [
            *(f"total {name.decode(errors='replace')}" for name, value in totals.items() if not _reads(whole, value)),
            *(
                f"{name.decode(errors='replace')} of the limiter"
                for name, value in limiter.items()
                if not _reads(json.loads if name == b"allowances" else finite, value)
            ),
            *(f"job {name!r} in flight" for name in watched if not _reads(keys.job_of, name)),
            *(f"job {name!r} with a locked number" for name in locks if not _reads(keys.job_of, name)),
        ]

    async def facts(self, batch: str) -> StoredBatch:
        """Return the facts of a batch. Raises UnreadableData."""
        with translated():
            # no transaction, because a full server refuses MULTI
            async with self._client.pipeline(transaction=False) as pipe:
                pipe.hmget(self._keys.batch(batch), "blocks", "rows", "cursor", "unstarted", "control")
                pipe.hgetall(self._keys.of_batch(batch, "counts"))
                pipe.hgetall(self._keys.of_batch(batch, "waits"))
                (blocks, rows, cursor, unstarted, control), counts, waits = await pipe.execute()
        with decoding(self._keys.batch(batch)):
            return StoredBatch(
                batch=batch,
                blocks=min(whole(blocks), keys.MAX_BLOCKS),
                rows=whole(rows),
                cursor=whole(cursor),
                unstarted=whole(unstarted),
                control=Control(control.decode()).value,
                counts={field.decode(): whole(jobs) for field, jobs in counts.items()},
                waits={field.decode(): whole(jobs) for field, jobs in waits.items()},
            )

    async def raw_records(self, batch: str, block: int) -> list[bytes]:
        with translated():
            raw = await self._client.get(self._keys.of_block(batch, "records", block))
        return codec.split_records(raw or b"")

    async def due_rows(self, batch: str) -> dict[int, int]:
        """Return the rows of a batch that wait for a time, with this time (ms)."""
        key = self._keys.of_batch(batch, "due")
        with translated():
            due = [entry async for entry in self._client.zscan_iter(key, count=1000)]
        return dict(readable(key, due, lambda entry: (whole(entry[0]), whole(entry[1]))))

    async def parked_rows(self, batch: str) -> set[int]:
        """Return the rows of a batch that wait for the end of their country's hold."""
        with translated():
            countries = await self._client.smembers(self._keys.of_batch(batch, "parked"))
            bitmaps = [
                await self._client.get(self._keys.parked_rows(batch, country.decode(errors="replace")))
                for country in countries
            ]
        return {row for bitmap in bitmaps for row in codec.rows_of(bitmap or b"")}

    async def forgotten(self, batch: str) -> list[str]:
        """Return scopes whose holds have ended although a batch still waits for them and nothing will wake it."""
        with translated():
            documents = await self._client.hget(self._keys.batch(batch), "documents")
            countries = await self._client.smembers(self._keys.of_batch(batch, "parked"))
            scopes = [*own_scopes(batch, (documents or b"").decode(errors="replace").split(","))]
            scopes += [str(HoldScope(Scope.COUNTRY, country.decode(errors="replace"))) for country in countries]
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
                    for job in readable(key, [name], keys.job_of):
                        places.setdefault(job, set()).add(place)
        return places

    async def job(self, job: JobId) -> StoredJob | None:
        """Return everything about one job; None if it does not exist.

        The job is read until two readings agree, because it may have changed in the middle of one. A job whose data is
        damaged has the state UNREADABLE.
        """
        try:
            return await self._settled_job(job)
        except UnreadableData:
            return StoredJob(record=codec.UNREADABLE_RECORD, cursor=0, places=frozenset())

    async def _settled_job(self, job: JobId) -> StoredJob | None:
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
            record = codec.record_or_mark(raw)
            parked = record.country and await self._client.getbit(
                self._keys.parked_rows(job.batch, record.country), job.row
            )
        entries = zip((Place.DUE, Place.PARKED, *WATCHED), (due, parked or None, *watched), strict=True)
        places = frozenset(place for place, entry in entries if entry is not None)
        return StoredJob(record=record, cursor=whole_or_0(cursor), places=places)

    async def longest_overdue_s(self, now_ms: int) -> float:
        """Return how many seconds the oldest entry of the watch sets has been due; 0 if none is."""
        oldest = now_ms
        with translated():
            for key in self._keys.watch.values():
                first = await self._client.zrange(key, 0, 0, withscores=True)
                oldest = min([oldest, *readable(key, [score for _, score in first], whole)])
        return (now_ms - oldest) / 1000

    async def oldest_event_s(self, now_ms: int) -> float:
        """Return the age of the oldest event in the inbox in seconds; 0 if it is empty."""
        with translated():
            first = await self._client.xrange(self._keys.inbox, count=1)
        # an event that came after ``now_ms`` was read has no age yet
        return max(0.0, (now_ms - int(first[0][0].split(b"-")[0])) / 1000) if first else 0.0

    async def drafts(self, now_ms: int) -> tuple[int, float]:
        """Return the number of open drafts, and for how many seconds the oldest has not changed."""
        with translated():
            first = await self._client.zrange(self._keys.drafts, 0, 0, withscores=True)
            drafts = int(await self._client.zcard(self._keys.drafts))
        return drafts, max(0.0, (now_ms - first[0][1]) / 1000) if first else 0.0

    async def has_ended(self, scope: str) -> bool:
        """Return whether the job or batch that a hold names is final or does not exist."""
        try:
            with decoding(self._keys.holds):
                held = HoldScope.parse(scope)
                return await self._has_ended(held)
        except UnreadableData:
            return False  # whether it has ended is not known

    async def _has_ended(self, held: HoldScope) -> bool:
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
            return readable(self._keys.locks, await self._client.hkeys(self._keys.locks), keys.job_of)

    async def unlock(self, job: JobId) -> bool:
        """Release the number that a job locks without calling it. Returns False if it calls the number by now."""
        return bool(await self._scripts.run("unlock", job=str(job)))

    async def repair(self, job: JobId) -> bool:
        """Move a job to the place that its record demands. Returns False if it is there already."""
        return bool(await self._scripts.run("repair", job=str(job)))

    async def recount(self, stored: StoredBatch, counts: Mapping[str, int], waits: Mapping[str, int]) -> bool:
        """Replace the counts of a batch. Returns False if jobs have changed since the counts were read."""
        before = {"before": stored.counts, "waits_before": stored.waits}
        return bool(await self._scripts.run("recount", batch=stored.batch, after=counts, waits_after=waits, **before))

    async def skew_s(self) -> float:
        """Return the difference between this machine's clock and the server's, in seconds."""
        with translated():
            seconds, micros = await self._client.time()
        return time.time() - (int(seconds) + int(micros) / 1e6)


def _reads(decode: Callable[[bytes], object], value: bytes) -> bool:
    try:
        with decoding(""):
            decode(value)
    except UnreadableData:
        return False
    return True


def count_field(raw: bytes) -> str:
    """Return the field of the counts hash under which a record counts (``prelude/counts.lua``)."""
    return f"{raw[0]}:{raw[12]}:{raw[13]}"


def tally(records: list[bytes], first_row: int, cursor: int, ended: int | None) -> Counter[str]:
    """Count the records of one block. Unstarted rows of an ended batch count as ``ended``.

    Void rows do not count, nor do records of no known state.
    """
    counts: Counter[str] = Counter()
    for index, raw in enumerate(records):
        if raw[0] not in _COUNTED or len(raw) < codec.WIDTH:
            continue
        unstarted = raw[0] == State.WAITING and first_row + index >= cursor
        counts[f"{ended}:0:0" if unstarted and ended is not None else count_field(raw)] += 1
    return counts


def tally_waits(records: list[bytes], first_row: int, due: Mapping[int, int]) -> Counter[str]:
    """Count the jobs of one block that wait after a failure, by the fields of the waits hash (``waiting.lua``)."""
    return Counter(
        f"{raw[12]}:{due[row] // MINUTE_MS}"
        for row, raw in enumerate(records, start=first_row)
        if row in due and len(raw) == codec.WIDTH and raw[0] == State.WAITING and raw[12]
    )
