"""Lists holds so that people can read them: the widest first, and the jobs of a batch on one line for each category."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from dispatcher.core.hold_scope import batch_of_job, width_of
from dispatcher.service.errors import not_a_cursor
from dispatcher.service.views import find_batch
from dispatcher.store.holds import Hold, HoldSummary
from dispatcher.store.store import Store

_CURSOR = re.compile(r"[0-9]\.-?[0-9]+\..+", re.DOTALL)
#: a damaged scope may be longer
_MAX_SCOPE = 150
#: holds that the answer about the account names
SHOWN_OF_ACCOUNT = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldLine:
    """A hold, or several of jobs of one batch for one category. ``hold`` is then one of them.

    As a rule it is the one that has lasted longest.
    """

    hold: Hold
    #: the batch whose jobs are held one by one; empty for another scope
    batch: str = ""
    #: number of jobs that the line stands for; 0 for another scope
    jobs: int = 0

    @property
    def cursor(self) -> str:
        """Value of ``after`` for the lines behind this one."""
        return f"{width_of(self.hold.scope) + 1}.{self.hold.since_ms:013}.{self.hold.scope[:_MAX_SCOPE]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldPage:
    """Lines of the list of holds. Pass ``cursor`` as ``after`` for the next page; empty: this is the last."""

    lines: tuple[HoldLine, ...]
    cursor: str
    #: number of all lines that match
    total: int


async def list_holds(
    store: Store,
    *,
    batch: str = "",
    categories: frozenset[str] = frozenset(),
    fold: bool = True,
    after: str = "",
    limit: int = SHOWN_OF_ACCOUNT,
) -> HoldPage:
    """List holds, the widest first.

    Args:
        store: The store.
        batch: Only holds that stop this batch or a part of it; empty: all.
        categories: Only these; empty: all.
        fold: Put jobs of one batch that are held for one category on one line.
        after: The cursor of the last line of the page before.
        limit: Maximum number of lines.

    Raises:
        Missing: There is no such batch.
        InvalidInput: The cursor is none of this list.
    """
    if after and not _CURSOR.fullmatch(after):
        raise not_a_cursor()
    if fold and not batch:
        return page_of(summed_lines(await store.holds.summary()), categories, after, limit)
    holds = await store.holds.all()
    if batch:
        overview = await find_batch(store, batch)
        scopes = {hold.scope for hold in overview.holds}
        holds = [hold for hold in holds if hold.scope in scopes or batch_of_job(hold.scope) == batch]
    return page_of(hold_lines(holds, fold=fold), categories, after, limit)


def page_of(
    lines: Iterable[HoldLine], categories: frozenset[str] = frozenset(), after: str = "", limit: int = SHOWN_OF_ACCOUNT
) -> HoldPage:
    """Return the page of lines that begins behind a cursor."""
    lines = widest_first(line for line in lines if not categories or line.hold.category in categories)
    page = [line for line in lines if line.cursor > after][:limit]
    more = bool(page) and page[-1] is not lines[-1]
    return HoldPage(lines=tuple(page), cursor=page[-1].cursor if more else "", total=len(lines))


def summed_lines(summary: HoldSummary) -> Sequence[HoldLine]:
    """Return the lines of all holds, jobs of one batch and category on one line."""
    return [
        *(HoldLine(hold=hold) for hold in summary.wide),
        *(HoldLine(hold=held.first, batch=held.batch, jobs=held.jobs) for held in summary.jobs),
    ]


def hold_lines(holds: Iterable[Hold], *, fold: bool) -> Sequence[HoldLine]:
    """Return the lines of holds, which are given with the oldest first."""
    lines: dict[tuple[str, str, str], HoldLine] = {}
    for hold in holds:
        batch = batch_of_job(hold.scope)
        key = (batch, hold.category, "" if batch and fold else hold.scope)
        before = lines.get(key, HoldLine(hold=hold, batch=batch))
        lines[key] = replace(before, jobs=before.jobs + 1 if batch else 0)
    return list(lines.values())


def widest_first(lines: Iterable[HoldLine]) -> list[HoldLine]:
    """Return lines in the order in which people should see them, and in which cursors ascend."""
    return sorted(lines, key=lambda line: line.cursor)
