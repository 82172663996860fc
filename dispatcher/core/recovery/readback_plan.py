"""How to ask the provider about many faxes with few requests: windows of its list, and single reads.

Every request takes a permit that a send could have used. A window proves nothing about a fax that it does not show:
the list may lag, and the provider's clock may differ from that of Redis by more than any margin.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from dispatcher.core.job import JobId

#: faxes on one page of the list
PAGE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadbackJob:
    """A fax to ask the provider about: accepted and overdue, or one that may exist after an unclear send."""

    job: JobId
    began_ms: int
    #: empty for an unclear send
    fax_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListWindow:
    """One range of creation times to list. It includes the margins and both ends."""

    from_ms: int
    to_ms: int
    jobs: tuple[ReadbackJob, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadbackPlan:
    """Which windows to list, and which faxes to read one by one."""

    windows: tuple[ListWindow, ...]
    single: tuple[ReadbackJob, ...]


def plan(lookups: Iterable[ReadbackJob], *, rate_per_second: float, margin_s: float, now_ms: int) -> ReadbackPlan:
    """Decide for each cluster of faxes whether listing a window or reading each fax costs fewer requests.

    No window reaches into the second that is not over yet: what is listed would change between two pages.

    Args:
        lookups: the faxes to ask about.
        rate_per_second: the account's rate, which bounds how many other faxes a window can contain.
        margin_s: added to a window on both sides.
        now_ms: the present time.
    """
    past_ms = (now_ms // 1000 - 1) * 1000
    listable = sorted((job for job in lookups if job.began_ms <= past_ms), key=lambda job: job.began_ms)
    single = [job for job in lookups if job.began_ms > past_ms]
    margin_ms, windows = round(margin_s * 1000), list[ListWindow]()
    page_ms = PAGE * 1000 / rate_per_second
    for first, last, listed in _ranges([job.began_ms for job in listable], page_ms, margin_ms):
        group = listable[first : last + 1]
        if listed:
            from_ms, to_ms = group[0].began_ms - margin_ms, min(group[-1].began_ms + margin_ms, past_ms)
            windows.append(ListWindow(from_ms=from_ms, to_ms=to_ms, jobs=tuple(group)))
        else:
            single += group
    return ReadbackPlan(windows=tuple(windows), single=tuple(single))


def pages(window: ListWindow, rate_per_second: float) -> int:
    """Return how many pages a window has at most while the account sends at that rate."""
    return max(1, math.ceil((window.to_ms - window.from_ms) / 1000 * rate_per_second / PAGE))


def _ranges(times: Sequence[int], page_ms: float, margin_ms: int) -> Iterator[tuple[int, int, bool]]:
    """Divide ascending times into ranges (first, last, whether to list), with the fewest requests.

    A range whose last page is not full counts as one page more.
    """
    cost, begin = [0.0], list[int]()
    lowest, opened = math.inf, 0
    for index, time in enumerate(times):
        # what a range that begins here costs, without what its end adds
        if cost[index] - time / page_ms < lowest:
            lowest, opened = cost[index] - time / page_ms, index
        listed = lowest + (time + 2 * margin_ms) / page_ms + 1
        begin.append(opened if listed < cost[index] + 1 else -1)
        cost.append(min(listed, cost[index] + 1))
    last = len(times) - 1
    while last >= 0:
        first, listed_too = (last, False) if begin[last] < 0 else (begin[last], True)
        yield first, last, listed_too
        last = first - 1
