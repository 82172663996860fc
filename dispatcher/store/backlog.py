"""What there is to send: how many jobs of which batch are due now, and who is there to send them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from dispatcher.core.batch import Control, Priority, own_scopes
from dispatcher.core.settlement import HELD_MS
from dispatcher.store import keys
from dispatcher.store.client import Client
from dispatcher.store.errors import translated

#: batches with work that are looked at; one that is due is enough to explain the others
_LOOKED_AT = 200


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
    #: whether jobs wait for the end of another call to their number
    number_busy: bool = False

    @property
    def waiting(self) -> int:
        return self.due + self.later


class Backlog:
    """Reads only."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def with_work(self, now_ms: int, held: Iterable[str]) -> list[str]:
        """Ids of running batches that have work now or later, those that have it now first. ``held`` are the scopes of
        all holds."""
        with translated():
            async with self._client.pipeline(transaction=False) as pipe:
                for priority in Priority:
                    pipe.zrange(keys.active(priority), 0, _LOOKED_AT - 1)
                pipe.zrange(keys.TIMERS, 0, _LOOKED_AT - 1)
                for scope in list(held)[:_LOOKED_AT]:
                    pipe.srandmember(keys.parked(scope), _LOOKED_AT)
                answers = await pipe.execute()
        return list(dict.fromkeys(name.decode() for names in answers for name in names))[:_LOOKED_AT]

    async def newest(self) -> list[str]:
        """Ids of the newest batches, whatever became of them."""
        with translated():
            return [name.decode() for name in await self._client.zrevrange(keys.BATCHES, 0, _LOOKED_AT - 1)]

    async def of(self, batches: Sequence[str], now_ms: int) -> list[BatchBacklog]:
        """In the order of ``batches``; one that does not exist is left out."""
        if not batches:
            return []
        with translated():
            async with self._client.pipeline(transaction=False) as pipe:
                for batch in batches:
                    pipe.hmget(keys.batch(batch), "control", "unstarted", "documents", "number_busy_ms")
                    pipe.zcount(keys.part(batch, "due"), "-inf", now_ms)
                    pipe.zcard(keys.part(batch, "due"))
                    pipe.zcount(keys.part(batch, "due"), HELD_MS, HELD_MS)
                    pipe.smembers(keys.part(batch, "parked"))
                answers = await pipe.execute()
        rows = list(zip(batches, *(answers[at::5] for at in range(5)), strict=True))
        parked = await self._parked({batch: countries for batch, *_, countries in rows})
        return [
            _backlog(batch, meta, due, waiting, held_jobs, parked[batch], now_ms)
            for batch, meta, due, waiting, held_jobs, _ in rows
            if meta[0] is not None
        ]

    async def _parked(self, countries: Mapping[str, set[bytes]]) -> dict[str, int]:
        """How many rows of each batch wait for the end of their country's hold."""
        bitmaps = [(batch, country.decode()) for batch, names in countries.items() for country in names]
        parked = dict.fromkeys(countries, 0)
        with translated():
            async with self._client.pipeline(transaction=False) as pipe:
                for batch, country in bitmaps:
                    pipe.bitcount(keys.parked_rows(batch, country))
                counts = await pipe.execute()
        for (batch, _), rows in zip(bitmaps, counts, strict=True):
            parked[batch] += rows
        return parked

    async def scheduler_seen_ms(self) -> int:
        """When a scheduler looked at the server's clock last, by that clock; 0 for never."""
        with translated():
            seen = await self._client.hvals(keys.CLOCK)
        return max((_seen_ms(value) for value in seen), default=0)


def _seen_ms(value: bytes) -> int:
    return int(value.partition(b",")[0].strip(b"[ "))


def _backlog(
    batch: str, meta: Sequence[bytes | None], due: int, waiting: int, held_jobs: int, parked: int, now_ms: int
) -> BatchBacklog:
    control, unstarted, documents, number_busy_ms = (value or b"" for value in meta)
    held = held_jobs + parked
    return BatchBacklog(
        batch=batch,
        control=Control(control.decode()),
        due=int(unstarted or 0) + due + held,
        later=waiting - due - held_jobs,
        held=held,
        scopes=own_scopes(batch, documents.decode().split(",")),
        number_busy=int(number_busy_ms or 0) > now_ms,
    )
