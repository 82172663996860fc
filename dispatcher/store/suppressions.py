"""Stores the do-not-fax list. The field of an entry is its number in digits.

The numbers are stored as they are, and not hashed as in the names of locks: the list has to be exported, blocks of
recipients contain the same numbers, and a hash for each row would make every upload slower.
"""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass

from dispatcher.core.dead_numbers import PROOF_MEMORY_MS
from dispatcher.core.suppressions import SOURCES, Suppression, SuppressionSource
from dispatcher.store import codec
from dispatcher.store.client import Client
from dispatcher.store.decoding import decoding, left_out, typed, whole
from dispatcher.store.errors import UnreadableData, translated
from dispatcher.store.lua import Argument, Scripts

#: maximum numbers that one run of a script looks up, and that one changes
_FIND, _CHANGE = 1000, 100


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEntry:
    """A number of the list as it is stored: its entry, and its places in the indexes."""

    number: str
    #: None: only an index has the number
    entry: Suppression | None
    is_listed: bool
    #: when it is forgotten, by the index
    end_ms: int | None

    @property
    def is_right(self) -> bool:
        """Whether the indexes say what the entry says."""
        if self.entry is None:
            return False
        expires_ms, is_proof = self.entry.expires_ms, self.entry.source is SuppressionSource.DEAD_NUMBER
        end_ms = expires_ms + (PROOF_MEMORY_MS if is_proof else 0) if expires_ms else None
        return self.is_listed and self.end_ms == end_ms


class Suppressions:
    def __init__(self, client: Client, scripts: Scripts) -> None:
        self._client = client
        self._scripts = scripts
        self._keys = scripts.keys

    async def among(self, numbers: Sequence[str], *, ignore_dead_numbers: bool = False) -> dict[int, Suppression]:
        """Return the entries of those numbers that must not be faxed now, by their positions. One round trip each
        1,000 numbers."""
        ignored = SuppressionSource.DEAD_NUMBER.value if ignore_dead_numbers else ""
        entries: dict[int, Suppression] = {}
        for first in range(0, len(numbers), _FIND):
            packed = codec.pack_numbers(numbers[first : first + _FIND])
            flat = await self._scripts.run("find_suppressed", packed, ignored=ignored)
            for position, raw in zip(flat[0::2], flat[1::2], strict=True):
                entries[first + position] = _entry(numbers[first + position], raw)
        return entries

    async def put(self, entries: Sequence[Suppression]) -> int:
        """Store entries; each replaces one of the same number. Returns how many numbers were not on the list."""
        # a script must not get a number twice
        last = list({entry.number: entry for entry in entries}.values())
        added = 0
        for first in range(0, len(last), _CHANGE):
            values: list[Argument] = []
            for entry in last[first : first + _CHANGE]:
                values += [_digits(entry.number), _stored(entry)]
            added += int(await self._scripts.accept("suppress", *values))
        return added

    async def remove(self, numbers: Sequence[str], *, source: str = "", batch: str = "") -> int:
        """Remove entries, only those of a source and of a batch's jobs if these are given. Returns their number."""
        removed = 0
        for first in range(0, len(numbers), _CHANGE):
            digits = map(_digits, numbers[first : first + _CHANGE])
            removed += int(await self._scripts.accept("unsuppress", *digits, source=source, batch=batch))
        return removed

    async def get(self, number: str) -> Suppression | None:
        """Return the entry of a number, expired or not; None if there is none."""
        with translated():
            raw = await self._client.hget(self._keys.suppressions, _digits(number))
        return None if raw is None else _entry(number, raw)

    async def page(self, after: str, limit: int) -> list[Suppression]:
        """Return the first entries behind a number, in the order of their digits; "" for the start of the list."""
        start = f"({_digits(after)}" if after else "-"
        with translated():
            names = await self._client.zrangebylex(self._keys.suppressed_numbers, start, "+", start=0, num=limit)
            raw = await self._client.hmget(self._keys.suppressions, names) if names else []
        # an entry may have been removed meanwhile
        pairs = zip(names, raw, strict=True)
        return [_entry(f"+{name.decode(errors='replace')}", value or b"") for name, value in pairs]

    async def size(self) -> int:
        """Return the number of entries, expired ones of dead numbers included."""
        with translated():
            return int(await self._client.hlen(self._keys.suppressions))

    async def indexed(self) -> AsyncIterator[list[StoredEntry]]:
        """Yield every entry with its places in the indexes, and then what is in an index. Some may come twice.

        What belongs together is read in one step, so that entries that change meanwhile look as they are.
        """
        keys = self._keys
        with translated():
            for key, scan in (
                (keys.suppressions, self._client.hscan),
                (keys.suppressed_numbers, self._client.zscan),
                (keys.suppression_ends, self._client.zscan),
            ):
                cursor = -1
                while cursor:
                    cursor, fields = await scan(key, max(0, cursor), count=_FIND)
                    names = list(fields) if isinstance(fields, dict) else [name for name, _ in fields]
                    for first in range(0, len(names), _FIND):
                        yield await self._indexed(names[first : first + _FIND])

    async def _indexed(self, names: Sequence[bytes]) -> list[StoredEntry]:
        async with self._client.pipeline(transaction=True) as pipe:
            pipe.hmget(self._keys.suppressions, names)
            pipe.zmscore(self._keys.suppressed_numbers, names)
            pipe.zmscore(self._keys.suppression_ends, names)
            raw, listed, ends = await pipe.execute()
        return [
            StoredEntry(
                entry=None if value is None else _entry(f"+{name.decode(errors='replace')}", value),
                number=f"+{name.decode(errors='replace')}",
                is_listed=score is not None,
                end_ms=None if end is None else int(end),
            )
            for name, value, score, end in zip(names, raw, listed, ends, strict=True)
        ]

    async def reindex(self, numbers: Sequence[str]) -> None:
        """Make the indexes say what the entries of these numbers say."""
        for first in range(0, len(numbers), _CHANGE):
            await self._scripts.run("reindex_suppressions", *map(_digits, numbers[first : first + _CHANGE]))

    async def recount(self, before: Mapping[str, int], after: Mapping[str, int]) -> bool:
        """Replace the counts by source. Returns False if entries have changed since the counts were read."""
        return bool(await self._scripts.run("recount_suppressions", before=before, after=after))

    async def forget(self, max_entries: int = 100) -> int:
        """Remove entries that have expired. Returns their number."""
        return int(await self._scripts.run("forget_suppressions", max_entries=max_entries))


def _digits(number: str) -> str:
    return number.removeprefix("+")


def _stored(entry: Suppression) -> str:
    fields: dict[str, object] = {"source": entry.source.value}
    fields |= {name: value for name in ("reason", "job", "expires_ms") if (value := getattr(entry, name))}
    return json.dumps(fields, ensure_ascii=False)


def _entry(number: str, raw: bytes) -> Suppression:
    """Decode an entry. One that cannot be read still stops its number."""
    try:
        with decoding(f"the do-not-fax list, {number[:4]}..."):
            return typed(Suppression, _fields(json.loads(raw)) | {"number": number})
    except UnreadableData as error:
        left_out(error)
        return Suppression(number=number, source=SuppressionSource.UNREADABLE, reason="its entry cannot be read")


def _fields(stored: Mapping[str, object]) -> dict[str, object]:
    known = {name: stored[name] for name in ("reason", "job") if name in stored}
    times = {name: whole(stored[name]) for name in ("added_ms", "expires_ms") if name in stored}  # type: ignore[arg-type]  # checked there
    source = SuppressionSource(str(stored["source"]))
    if source not in SOURCES:
        raise ValueError("its source is unknown")
    return {**known, **times, "source": source}
