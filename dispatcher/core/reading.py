"""How to ask for news of accepted faxes with the fewest requests: windows of the list, and single reads.

Every request takes a permit that a fax could have had.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dispatcher.core.job import JobId

#: faxes on one page of the list
PAGE = 1000
#: faxes whose acceptance lies further apart than this are not listed together
GAP_MS = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Overdue:
    """An accepted fax that nobody has heard of."""

    job: JobId
    fax_id: str
    began_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """One range of creation times to list, without margins."""

    from_ms: int
    to_ms: int
    faxes: tuple[Overdue, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    windows: tuple[Window, ...]
    #: to be read by id
    single: tuple[Overdue, ...]


def plan(faxes: Iterable[Overdue], *, rate_per_second: float, margin_s: float) -> Plan:
    """List where that takes fewer requests than reading by id. ``rate_per_second`` bounds how many faxes of others
    a window may hold; ``margin_s`` is added on both of its sides when it is asked for."""
    windows: list[Window] = []
    single: list[Overdue] = []
    for group in _neighbours(sorted(faxes, key=lambda fax: fax.began_ms)):
        span_s = (group[-1].began_ms - group[0].began_ms) / 1000 + 2 * margin_s
        pages = max(1, math.ceil(span_s * rate_per_second / PAGE))
        if pages < len(group):
            windows.append(Window(from_ms=group[0].began_ms, to_ms=group[-1].began_ms, faxes=tuple(group)))
        else:
            single += group
    return Plan(windows=tuple(windows), single=tuple(single))


def _neighbours(faxes: Sequence[Overdue]) -> Iterable[list[Overdue]]:
    group: list[Overdue] = []
    for fax in faxes:
        if group and fax.began_ms - group[-1].began_ms > GAP_MS:
            yield group
            group = []
        group.append(fax)
    if group:
        yield group
