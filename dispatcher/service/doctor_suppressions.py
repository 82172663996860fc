"""The doctor's check of the do-not-fax list: its indexes and counts say what its entries say.

An entry that an index lacks still stops its number, but nobody sees it in the list or in an export. The list is read in
steps of a thousand numbers, and only numbers that are wrong are kept in memory, a bounded number of them.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from dispatcher.core.suppressions import SOURCES
from dispatcher.store.store import Store

#: wrong numbers that are kept, and repaired by one run
_MAX_WRONG = 100_000
#: the sources that are counted
_COUNTS = tuple(source.value for source in SOURCES)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListCheck:
    """The result. ``wrong`` are numbers that an index has wrongly or not at all."""

    entries: int
    wrong: tuple[str, ...]
    #: counts by source as they are stored, and as they should be
    stored: Mapping[str, int]
    counted: Mapping[str, int]


async def check_list(store: Store) -> ListCheck:
    """Compare indexes and counts with the entries. Nothing is changed."""
    stored = await _stored_counts(store)
    wrong = dict[str, None]()
    async for chunk in store.suppressions.indexed():
        for entry in chunk:
            if not entry.is_right and len(wrong) < _MAX_WRONG:
                wrong[entry.number] = None
    counts, after = Counter(dict.fromkeys(_COUNTS, 0)), ""
    while page := await store.suppressions.page(after, 1000):
        counts.update(entry.source.value for entry in page)
        after = page[-1].number
    counts = Counter({source: counts[source] for source in _COUNTS})
    return ListCheck(entries=counts.total(), wrong=tuple(wrong), stored=stored, counted=counts)


async def repair_list(store: Store, check: ListCheck) -> bool:
    """Repair indexes, or counts if the indexes are right. Returns whether another run will find nothing."""
    if check.wrong:
        await store.suppressions.reindex(check.wrong)
        check = await check_list(store)
    return not check.wrong and await store.suppressions.recount(check.stored, check.counted)


async def _stored_counts(store: Store) -> Mapping[str, int]:
    totals = await store.metric_totals.all()
    return {source: totals.get(("suppressions", source), 0) for source in _COUNTS}
