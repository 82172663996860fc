"""Stores the last loss of writes: since when, how far the provider's faxes were read, and whether it was accepted."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum

from dispatcher.core.job import JobId
from dispatcher.core.retry_table.rule import Category
from dispatcher.store.client import Client
from dispatcher.store.decoding import decoding, readable, typed, whole, whole_or_0
from dispatcher.store.errors import translated
from dispatcher.store.lua import LOST_MARGIN_MS, Scripts

#: category of the account's hold
ROLLED_BACK = Category.RECORD_ROLLED_BACK.value
#: maximum number of faxes of unknown jobs that are kept for people; further ones are not stored
MAX_UNKNOWN = 1000
#: metric totals of the faxes that recovery finds
ADOPTED, ACCEPTED_TWICE = "lost_writes|adopted", "lost_writes|accepted_twice"


class Resumed(StrEnum):
    """The result of a step towards the end of the account's hold."""

    NONE = "none"
    OPEN = "open"
    RESUMED = "resumed"


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownFax:
    """A fax with labels of bulkfax whose job is not in the store."""

    fax_id: str
    job: str
    attempt: int
    created_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollback:
    """One loss of writes. Times are milliseconds since 1970, and 0 for events that have not happened."""

    noticed_ms: int
    #: writes since this time may be lost
    since_ms: int
    cause: str
    #: the epoch that was read, and the higher one seen before; 0 if an attempt proved the loss
    found_epoch: int
    seen_epoch: int
    #: the provider's faxes were read up to this time
    listed_ms: int = 0
    reconciled_ms: int = 0
    accepted_ms: int = 0
    resumed_ms: int = 0
    #: numbers of faxes missing in the records, of attempts that the provider accepted twice, and of faxes without a job
    adopted: int = 0
    accepted_twice: int = 0
    unknown: int = 0


class Rollbacks:
    def __init__(self, client: Client, scripts: Scripts) -> None:
        self._client = client
        self._scripts = scripts
        self._keys = scripts.keys

    async def report_attempt(self, job: JobId, attempt: int, created_ms: int) -> bool:
        """Report that an attempt made by bulkfax is missing in the record. Returns False if the loss is known.

        ``created_ms`` is when the provider created the fax; 0 if unknown.
        """
        cause = f"Redis has lost writes: it knows nothing of attempt {attempt} of job {job}"
        answer = await self._scripts.run(
            "report_rollback", seen_before=0, since_ms=created_ms, margin_ms=LOST_MARGIN_MS, cause=cause
        )
        return bool(answer)

    async def last(self) -> Rollback | None:
        """Return the last loss, whether it is resolved or not; None if there was none. Raises UnreadableData."""
        with translated():
            async with self._client.pipeline(transaction=False) as pipe:
                pipe.hgetall(self._keys.rollback)
                pipe.hlen(self._keys.rollback_unknown)
                pipe.hmget(self._keys.totals, ADOPTED, ACCEPTED_TWICE)
                raw, unknown, (adopted, twice) = await pipe.execute()
        if not raw:
            return None
        with decoding(self._keys.rollback):
            fields = {name.decode(): value for name, value in raw.items()}
            before = [fields.pop(name) for name in ("cause", "adopted_before", "twice_before")]
            return Rollback(
                cause=before[0].decode(),
                adopted=whole(adopted or 0) - whole(before[1]),
                accepted_twice=whole(twice or 0) - whole(before[2]),
                unknown=unknown,
                **{name: whole(value) for name, value in fields.items()},
            )

    async def accept(self) -> Resumed:
        """Accept the loss for an operator. Sending continues when the provider's faxes are reconciled."""
        return Resumed((await self._scripts.run("resume", step="accepted")).decode())

    async def listed(self, rollback: Rollback, until_ms: int, *, all_of_them: bool) -> Resumed:
        """Store up to when the provider's faxes were read. It does nothing if another loss was noticed since."""
        answer = await self._scripts.run(
            "resume",
            step="listed",
            noticed_ms=rollback.noticed_ms,
            since_ms=rollback.since_ms,
            until_ms=until_ms,
            all_listed=all_of_them,
        )
        return Resumed(answer.decode())

    async def add_unknown(self, faxes: Sequence[UnknownFax]) -> None:
        with translated():
            room = MAX_UNKNOWN - await self._client.hlen(self._keys.rollback_unknown)
            kept = {fax.fax_id: json.dumps(asdict(fax)) for fax in faxes[: max(0, room)]}
            if kept:
                await self._client.hset(self._keys.rollback_unknown, mapping=kept)

    async def unknown(self) -> list[UnknownFax]:
        """Return the faxes of unknown jobs, the oldest first."""
        with translated():
            raw = await self._client.hvals(self._keys.rollback_unknown)
        faxes = readable(self._keys.rollback_unknown, raw, lambda fax: typed(UnknownFax, json.loads(fax)))
        return sorted(faxes, key=lambda fax: (fax.created_ms, fax.fax_id))

    async def raise_epoch(self, epoch: int) -> None:
        """Raise the epoch above that of a fax at the provider, so that later attempts can be told from lost ones."""
        if epoch:
            await self._scripts.run("raise_epoch", epoch=epoch)

    async def check(self) -> None:
        """Raise StoreRolledBack if the account's epoch is lower than one that this process has seen."""
        await self._scripts.run("move_epoch")

    async def written_ms(self) -> int:
        """Return when the account's epoch last increased, in milliseconds since 1970; 0 for never."""
        with translated():
            return whole_or_0(await self._client.hget(self._keys.epoch, "written_ms"))
