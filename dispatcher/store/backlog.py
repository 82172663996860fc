"""Reads how many jobs of each batch are due, and when a scheduler last ran."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from dispatcher.core.batch import Control, Priority, own_scopes
from dispatcher.core.limits.shares import OWN_BURST_US
from dispatcher.store.client import Client
from dispatcher.store.decoding import finite, readable, whole
from dispatcher.store.errors import translated
from dispatcher.store.keys import Keys
from dispatcher.store.protocol import HELD_SCORE
from dispatcher.store.server_clock import AHEAD_MS

#: maximum number of batches that are read to explain what limits sending
LOOKED_AT = 200
_META = ("control", "documents", "unstarted", "number_busy_ms", "started_ms", "running_ms", "class", "weight", "quota")
_PACE = ("max_per_second", "pace_us")


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchBacklog:
    """The waiting jobs of one batch. ``scopes`` are those whose holds stop all of it, except account and provider."""

    batch: str
    control: Control
    #: number of jobs that are due now, held or not, and number of jobs that wait for a later time
    due: int
    later: int
    #: number of due jobs that wait for the end of a hold of the job or of its country
    held: int
    scopes: frozenset[str]
    #: jobs that wait for ``continue`` after a partial start; they are not due
    withheld: int = 0
    #: whether its own rate is used fully
    paced: bool = False
    #: since when the oldest due job that is not held has been due, milliseconds since 1970; 0: there is none
    due_since_ms: int = 0
    #: when the first and the last job that was begun before is due, held ones apart; 0: there is none
    first_ms: int = 0
    last_ms: int = 0
    #: whether jobs wait for another call to their number to end
    number_busy: bool = False
    priority: Priority = Priority.BULK
    weight: int = 1

    @property
    def waiting(self) -> int:
        return self.due + self.later + self.withheld


@dataclass(frozen=True, slots=True, kw_only=True)
class Retries:
    """Jobs of a batch that wait for a later time, and when the first and the last is due; 0 without any."""

    jobs: int
    first_ms: int
    last_ms: int


class Backlog:
    """Reads the backlog; it writes nothing."""

    def __init__(self, client: Client, keys: Keys) -> None:
        self._client = client
        self._keys = keys

    async def with_work(self, held: Iterable[str], max_ids: int = LOOKED_AT) -> list[str]:
        """Return the ids of running batches that have work now or later, those with work now first.

        Args:
            held: The scopes of all holds.
            max_ids: Maximum number of ids.
        """
        with translated():
            async with self._client.pipeline(transaction=False) as pipe:
                for priority in Priority:
                    pipe.zrange(self._keys.active(priority), 0, max_ids - 1)
                pipe.zrange(self._keys.timers, 0, max_ids - 1)
                for scope in list(held)[:max_ids]:
                    pipe.srandmember(self._keys.stopped_batches(scope), max_ids)
                answers = await pipe.execute()
        return list(dict.fromkeys(name.decode(errors="replace") for names in answers for name in names))[:max_ids]

    async def newest(self) -> list[str]:
        """Return the ids of the newest batches, in any state."""
        with translated():
            return [
                name.decode(errors="replace")
                for name in await self._client.zrevrange(self._keys.batches, 0, LOOKED_AT - 1)
            ]

    async def of(self, batches: Sequence[str], now_ms: int) -> list[BatchBacklog]:
        """Return the backlog of each batch, in the same order, without those that do not exist or cannot be read."""
        if not batches:
            return []
        with translated():
            async with self._client.pipeline(transaction=False) as pipe:
                for batch in batches:
                    pipe.hmget(self._keys.batch(batch), *_META, *_PACE)
                    pipe.zcount(self._keys.of_batch(batch, "due"), "-inf", now_ms)
                    pipe.zcard(self._keys.of_batch(batch, "due"))
                    pipe.zcount(self._keys.of_batch(batch, "due"), HELD_SCORE, HELD_SCORE)
                    pipe.zrange(self._keys.of_batch(batch, "due"), 0, 0, withscores=True)
                    pipe.zrange(
                        self._keys.of_batch(batch, "due"),
                        f"({HELD_SCORE}",
                        "-inf",
                        byscore=True,
                        desc=True,
                        offset=0,
                        num=1,
                        withscores=True,
                    )
                    pipe.smembers(self._keys.of_batch(batch, "parked"))
                answers = await pipe.execute(raise_on_error=False)
        rows = zip(batches, *(answers[position::7] for position in range(7)), strict=True)
        right = [row for row in rows if not any(isinstance(answer, Exception) for answer in row)]
        parked = await self._parked({batch: countries for batch, *_, countries in right})
        reads = [
            _Read(batch, meta, due, waiting, held_jobs, first, last, parked[batch])
            for batch, meta, due, waiting, held_jobs, first, last, _ in right
            if any(value is not None for value in meta)
        ]
        return readable("the backlog of a batch", reads, lambda read: _backlog(read, now_ms))

    async def retries(self, batch: str, now_ms: int) -> "Retries":
        """Return how many jobs of a batch wait for a later time, and when the first and the last of them is due."""
        due, later = self._keys.of_batch(batch, "due"), f"({now_ms}"
        with translated():
            async with self._client.pipeline(transaction=False) as pipe:
                pipe.zcount(due, later, f"({HELD_SCORE}")
                pipe.zrange(due, later, f"({HELD_SCORE}", byscore=True, offset=0, num=1, withscores=True)
                pipe.zrange(due, f"({HELD_SCORE}", later, byscore=True, desc=True, offset=0, num=1, withscores=True)
                jobs, first, last = await pipe.execute()
        first_ms, last_ms = (int(entries[0][1]) if entries else 0 for entries in (first, last))
        return Retries(jobs=jobs, first_ms=first_ms, last_ms=last_ms)

    async def _parked(self, countries: Mapping[str, set[bytes]]) -> dict[str, int]:
        """Return how many rows of each batch wait for the end of their country's hold."""
        bitmaps = [(batch, country.decode("latin-1")) for batch, names in countries.items() for country in names]
        parked = dict.fromkeys(countries, 0)
        with translated():
            async with self._client.pipeline(transaction=False) as pipe:
                for batch, country in bitmaps:
                    pipe.bitcount(self._keys.parked_rows(batch, country))
                counts = await pipe.execute(raise_on_error=False)
        for (batch, _), rows in zip(bitmaps, counts, strict=True):
            parked[batch] += rows if isinstance(rows, int) else 0
        return parked

    async def scheduler_seen_ms(self, now_ms: int) -> int:
        """Return when a scheduler last read the server's clock or asked for due work, by that clock; 0 for never.

        A time later than ``now_ms`` was stored before the clock was set back; it is ignored.
        """
        with translated():
            async with self._client.pipeline(transaction=False) as pipe:
                pipe.hvals(self._keys.clock)
                pipe.get(self._keys.scheduler_seen)
                looked, asked_ms = await pipe.execute()
        seen = [
            *readable(self._keys.clock, looked, _seen_ms),
            *readable(self._keys.scheduler_seen, [asked_ms or 0], whole),
        ]
        return max(seen_ms for seen_ms in [*seen, 0] if seen_ms <= now_ms + AHEAD_MS)


def _seen_ms(value: bytes) -> int:
    return whole(value.partition(b",")[0].strip(b"[ "))


class _Read(NamedTuple):
    """Raw values of one batch: fields of its hash, numbers of entries in its due set, number of parked rows."""

    batch: str
    meta: Sequence[bytes | None]
    due: int
    waiting: int
    held_jobs: int
    first: Sequence[tuple[bytes, float]]
    last: Sequence[tuple[bytes, float]]
    parked: int


def _backlog(read: _Read, now_ms: int) -> BatchBacklog:
    control, documents, *numbers, priority, weight, quota, per_second, pace_us = (value or b"" for value in read.meta)
    unstarted, number_busy_ms, started_ms, running_ms = (whole(number or 0) for number in numbers)
    withheld = max(0, unstarted - max(0, whole(quota))) if quota else 0
    unstarted -= withheld
    held = read.held_jobs + read.parked
    times = [whole(score) for _, score in read.first if score <= now_ms] + ([started_ms] if unstarted else [])
    return BatchBacklog(
        batch=read.batch,
        control=Control(control.decode()),
        due=unstarted + read.due + held,
        later=read.waiting - read.due - read.held_jobs,
        held=held,
        withheld=withheld,
        paced=_is_paced(per_second, pace_us, now_ms),
        scopes=own_scopes(read.batch, documents.decode().split(",")),
        first_ms=next((whole(score) for _, score in read.first if read.last), 0),
        last_ms=next((whole(score) for _, score in read.last), 0),
        # nothing was due while the batch was paused
        due_since_ms=max(min(times), running_ms) if times else 0,
        number_busy=number_busy_ms > now_ms,
        priority=Priority(priority.decode() or Priority.BULK),
        weight=max(1, whole(weight or 1)),
    )


def _is_paced(max_per_second: bytes, next_us: bytes, now_ms: int) -> bool:
    """Return whether a batch has leased lately what its own rate allows: the next lease is due about now or later."""
    per_second = finite(max_per_second or b"0")
    return per_second > 0 and finite(next_us or b"0") >= now_ms * 1000 - 1_000_000 / per_second - OWN_BURST_US
