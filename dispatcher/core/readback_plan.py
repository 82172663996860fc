"""How to ask the provider about many faxes with few requests: windows of its list, and single reads.

Every request takes a permit that a fax could have had. A window can only find: it says nothing of a fax that it does
not show, since the list may lag and the provider's clock may differ from ours by more than any margin.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from dispatcher.core.job import JobId

#: faxes on one page of the list
PAGE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadbackJob:
    """A fax that is asked about: accepted and overdue, or one that may exist after a send of unclear end."""

    job: JobId
    began_ms: int
    #: empty for a send of unclear end
    fax_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListWindow:
    """One range of creation times to list, margins included, both ends as well."""

    from_ms: int
    to_ms: int
    jobs: tuple[ReadbackJob, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadbackPlan:
    windows: tuple[ListWindow, ...]
    #: to be asked about one by one
    single: tuple[ReadbackJob, ...]


def plan(lookups: Iterable[ReadbackJob], *, rate_per_second: float, margin_s: float, now_ms: int) -> ReadbackPlan:
    """List where that takes fewer requests than one for each fax.

    ``rate_per_second`` bounds how many faxes of others a window may hold; ``margin_s`` is added on both of its sides.
    No window reaches into the second that is not over yet, or what is listed would change between two pages.
    """
    past_ms = (now_ms // 1000 - 1) * 1000
    listable = sorted((one for one in lookups if one.began_ms <= past_ms), key=lambda one: one.began_ms)
    single = [one for one in lookups if one.began_ms > past_ms]
    margin_ms, windows = round(margin_s * 1000), list[ListWindow]()
    page_ms = PAGE * 1000 / rate_per_second
    for first, last, listed in _ranges([one.began_ms for one in listable], page_ms, margin_ms):
        group = listable[first : last + 1]
        if listed:
            from_ms, to_ms = group[0].began_ms - margin_ms, min(group[-1].began_ms + margin_ms, past_ms)
            windows.append(ListWindow(from_ms=from_ms, to_ms=to_ms, jobs=tuple(group)))
        else:
            single += group
    return ReadbackPlan(windows=tuple(windows), single=tuple(single))


def pages(window: ListWindow, rate_per_second: float) -> int:
    """How many pages a window has at most while the account sends at that rate."""
    return max(1, math.ceil((window.to_ms - window.from_ms) / 1000 * rate_per_second / PAGE))


def _ranges(times: Sequence[int], page_ms: float, margin_ms: int) -> Iterator[tuple[int, int, bool]]:
    """Divides rising times into ranges, first and last: those that are listed, and those that are asked about singly.

    With the fewest requests, where a range of so many pages and a part of one counts as one page more.
    """
    cost, begin = [0.0], list[int]()
    lowest, opened = math.inf, 0
    for at, time in enumerate(times):
        # what a range that begins here costs, but for what its end adds
        if cost[at] - time / page_ms < lowest:
            lowest, opened = cost[at] - time / page_ms, at
        listed = lowest + (time + 2 * margin_ms) / page_ms + 1
        begin.append(opened if listed < cost[at] + 1 else -1)
        cost.append(min(listed, cost[at] + 1))
    last = len(times) - 1
    while last >= 0:
        first, listed_too = (last, False) if begin[last] < 0 else (begin[last], True)
        yield first, last, listed_too
        last = first - 1
