"""The do-not-fax list: list, show, add, remove, import and export its entries."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from dispatcher.core.suppressions import Suppression
from dispatcher.cpu_thread import on_cpu_thread
from dispatcher.service.errors import InvalidInput, Missing
from dispatcher.service.report import csv_of
from dispatcher.service.times import now_ms, rfc3339
from dispatcher.store.store import Store

#: columns of an export; an import reads the same ones
COLUMNS = ("number", "reason", "source", "job", "added_at", "expires_at")
#: entries that one call to the store reads, and maximum number of such calls for one page
_READ, _READS_PER_PAGE = 1000, 20
#: entries that one call removes, in some seconds
_REMOVED = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SuppressionFilter:
    """Which entries to list or remove. An empty field matches all entries."""

    source: str = ""
    #: id of the batch whose jobs proved them
    batch: str = ""

    def matches(self, entry: Suppression) -> bool:
        """Return whether an entry is meant."""
        return self.source in ("", entry.source) and self.batch in ("", entry.job.partition(".")[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class SuppressionPage:
    """Entries in the order of their numbers. Pass ``next_number`` as ``after`` for the next page; "": the last one."""

    entries: tuple[Suppression, ...]
    next_number: str


async def list_suppressions(
    store: Store, criteria: SuppressionFilter, *, after: str = "", limit: int
) -> SuppressionPage:
    """List entries behind a number. A page may be short and yet not be the last: one call reads a bounded number."""
    matching: list[Suppression] = []
    for _ in range(_READS_PER_PAGE):
        entries = await store.suppressions.page(after, _READ)
        for entry in filter(criteria.matches, entries):
            matching.append(entry)
            if len(matching) == limit:
                return SuppressionPage(entries=tuple(matching), next_number=entry.number)
        if len(entries) < _READ:
            return SuppressionPage(entries=tuple(matching), next_number="")
        after = entries[-1].number
    return SuppressionPage(entries=tuple(matching), next_number=after)


async def show_suppression(store: Store, number: str) -> Suppression:
    """Return the entry of a number. Raises Missing if it is not on the list."""
    entry = await store.suppressions.get(number)
    if entry is None:
        raise Missing(f"{number} is not on the do-not-fax list")
    return entry


async def add_suppression(store: Store, entry: Suppression) -> Suppression:
    """Put a number on the list, or edit its entry, and return what is stored. Raises InvalidInput."""
    if 0 < entry.expires_ms <= now_ms():
        raise InvalidInput({"expires_at": "the time has passed: give a later one, or none"})
    await store.suppressions.put([entry])
    return await show_suppression(store, entry.number)


async def remove_suppressions(store: Store, criteria: SuppressionFilter) -> tuple[int, bool]:
    """Remove entries of a source, or those of it that jobs of a batch proved. One call removes a bounded number.

    Returns their number, and whether there may be more.
    """
    removed, entries = 0, await store.suppressions.page("", _READ)
    while entries and removed < _REMOVED:
        numbers = [entry.number for entry in entries if criteria.matches(entry)]
        removed += await store.suppressions.remove(numbers, source=criteria.source, batch=criteria.batch)
        entries = await store.suppressions.page(entries[-1].number, _READ)
    await store.confirm()  # a repeat finds nothing to remove
    return removed, bool(entries)


async def export_suppressions(store: Store) -> AsyncIterator[bytes]:
    """Yield the list as pieces of CSV in UTF-8."""
    yield csv_of([COLUMNS])
    after = ""
    while entries := await store.suppressions.page(after, _READ):
        yield await on_cpu_thread(csv_of, [_line(entry) for entry in entries])
        after = entries[-1].number


def _line(entry: Suppression) -> Sequence[str]:
    times = rfc3339(entry.added_ms), rfc3339(entry.expires_ms)
    return (entry.number, entry.reason, entry.source.value, entry.job, *times)
