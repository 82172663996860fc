"""What there is to send: how many jobs of which batch are due now, and who is there to send them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from dispatcher.core.batch import Control, Priority, own_scopes
from dispatcher.store.client import Client
from dispatcher.store.errors import translated
from dispatcher.store.keys import Keys
from dispatcher.store.protocol import HELD_SCORE
from dispatcher.store.server_clock import AHEAD_MS

#: batches with work that are looked at to explain what limits them; one that is due is enough
LOOKED_AT = 200
_META = ("control", "documents", "unstarted", "number_busy_ms", "started_ms", "running_ms")


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchBacklog:
    """The waiting jobs of one batch. ``scopes`` are those whose holds stop all of it, account and provider left out."""

    batch: str
    control: Control
    #: jobs that may be leased now if nothing of theirs is held, and those that wait for a later time
    due: int
    later: int
    #: of those that are due, jobs that wait for the end of their own or their country's hold
    held: int
    scopes: frozenset[str]
    #: since when the oldest of the jobs that are due and not held is due, milliseconds since 1970; 0: there is none
    due_since_ms: int = 0
    #: whether jobs wait for the end of another call to their number
    number_busy: bool = False

    @property
    def waiting(self) -> int:
        return self.due + self.later


class Backlog:
    """Reads only."""

    def __init__(self, client: Client, keys: Keys) -> None:
        self._client = client
        self._keys = keys

    async def with_work(self, held: Iterable[str], most: int = LOOKED_AT) -> list[str]:
        """Ids of running batches that have work now or later, those that have it now first.

        ``held`` are the scopes of all holds, ``most`` so many ids at the most.
        """
        with translated():
            async with self._client.pipeline(transaction=False) as pipe:
                for priority in Priority:
                    pipe.zrange(self._keys.active(priority), 0, most - 1)
                pipe.zrange(self._keys.timers, 0, most - 1)
                for scope in list(held)[:most]:
                    pipe.srandmember(self._keys.parked(scope), most)
                answers = await pipe.execute()
        return list(dict.fromkeys(name.decode() for names in answers for name in names))[:most]

    async def newest(self) -> list[str]:
        """Ids of the newest batches, whatever became of them."""
        with translated():
            return [name.decode() for name in await self._client.zrevrange(self._keys.batches, 0, LOOKED_AT - 1)]

    async def of(self, batches: Sequence[str], now_ms: int) -> list[BatchBacklog]:
        """In the order of ``batches``; one that does not exist is left out."""
        if not batches:
            return []
        with translated():
            async with self._client.pipeline(transaction=False) as pipe:
                for batch in batches:
                    pipe.hmget(self._keys.batch(batch), *_META)
                    pipe.zcount(self._keys.part(batch, "due"), "-inf", now_ms)
                    pipe.zcard(self._keys.part(batch, "due"))
                    pipe.zcount(self._keys.part(batch, "due"), HELD_SCORE, HELD_SCORE)
                    pipe.zrange(self._keys.part(batch, "due"), 0, 0, withscores=True)
                    pipe.smembers(self._keys.part(batch, "parked"))
                answers = await pipe.execute()
        rows = list(zip(batches, *(answers[at::6] for at in range(6)), strict=True))
        parked = await self._parked({batch: countries for batch, *_, countries in rows})
        return [
            _backlog(_Read(batch, meta, due, waiting, held_jobs, first, parked[batch]), now_ms)
            for batch, meta, due, waiting, held_jobs, first, _ in rows
            if meta[0] is not None
        ]

    async def _parked(self, countries: Mapping[str, set[bytes]]) -> dict[str, int]:
        """How many rows of each batch wait for the end of their country's hold."""
        bitmaps = [(batch, country.decode()) for batch, names in countries.items() for country in names]
        parked = dict.fromkeys(countries, 0)
        with translated():
            async with self._client.pipeline(transaction=False) as pipe:
                for batch, country in bitmaps:
                    pipe.bitcount(self._keys.parked_rows(batch, country))
                counts = await pipe.execute()
        for (batch, _), rows in zip(bitmaps, counts, strict=True):
            parked[batch] += rows
        return parked

    async def scheduler_seen_ms(self, now_ms: int) -> int:
        """When a scheduler looked at the server's clock or asked what is due last, by that clock; 0 for never.

        A time that lies ahead of ``now_ms`` is of before the clock was set back, and no sign of life.
        """
        with translated():
            async with self._client.pipeline(transaction=False) as pipe:
                pipe.hvals(self._keys.clock)
                pipe.get(self._keys.scheduler_seen)
                looked, asked_ms = await pipe.execute()
        seen = [*map(_seen_ms, looked), int(asked_ms or 0)]
        return max(seen_ms for seen_ms in [*seen, 0] if seen_ms <= now_ms + AHEAD_MS)


def _seen_ms(value: bytes) -> int:
    return int(value.partition(b",")[0].strip(b"[ "))


class _Read(NamedTuple):
    """What was read of one batch: fields of its hash, entries of its due set by their time, rows that are parked."""

    batch: str
    meta: Sequence[bytes | None]
    due: int
    waiting: int
    held_jobs: int
    first: Sequence[tuple[bytes, float]]
    parked: int


def _backlog(read: _Read, now_ms: int) -> BatchBacklog:
    control, documents, *numbers = (value or b"" for value in read.meta)
    unstarted, number_busy_ms, started_ms, running_ms = (int(number or 0) for number in numbers)
    held = read.held_jobs + read.parked
    times = [int(score) for _, score in read.first if score <= now_ms] + ([started_ms] if unstarted else [])
    return BatchBacklog(
        batch=read.batch,
        control=Control(control.decode()),
        due=unstarted + read.due + held,
        later=read.waiting - read.due - read.held_jobs,
        held=held,
        scopes=own_scopes(read.batch, documents.decode().split(",")),
        # nothing was due while the batch was paused
        due_since_ms=max(min(times), running_ms) if times else 0,
        number_busy=number_busy_ms > now_ms,
    )
