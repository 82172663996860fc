"""A list of recipients that is only looked at: its rows are counted as an upload counts them, and nothing is stored."""

from collections.abc import Callable, Mapping
from heapq import merge

from dispatcher.core.job import Recipient, RefusedRow
from dispatcher.core.suppressions import OPTED_OUT, Suppression
from dispatcher.cpu_thread import on_cpu_thread
from dispatcher.service.uploads import Rows, split_suppressed
from dispatcher.store.store import Store

#: first rows, and refused rows, that are kept to be shown
_SHOWN = 20
#: different numbers of a list that are remembered, to count those that come again; they take some 10 MB
_REMEMBERED = 100_000


class Trial:
    """Counts the rows of one list, and keeps the first ones."""

    def __init__(self, store: Store, *, ignore_dead_numbers: bool) -> None:
        self._store = store
        self._ignore_dead_numbers = ignore_dead_numbers
        self._numbers: set[int] = set()
        self.accepted = self.refused = self.opted_out = self.suppressed = self.duplicates = 0
        #: the first rows as they would be dialled, and the first that would not be
        self.first_rows: list[Recipient] = []
        self.sample: list[RefusedRow] = []

    async def add(self, read: Callable[[], Rows]) -> None:
        """Read and count the next rows of the list."""
        rows = await on_cpu_thread(read)
        numbers = [recipient.number for recipient in rows.accepted]
        suppressed = await self._store.suppressions.among(numbers, ignore_dead_numbers=self._ignore_dead_numbers)
        await on_cpu_thread(self._count, rows, suppressed)

    def _count(self, rows: Rows, suppressed: Mapping[int, Suppression]) -> None:
        recipients, stopped = split_suppressed(rows.accepted, suppressed)
        different = [recipient for recipient in recipients if self._is_new(recipient.number)]
        opted_out = sum(row.reason == OPTED_OUT for row in rows.refused)
        self.accepted += len(different)
        self.duplicates += len(recipients) - len(different)
        self.suppressed += len(stopped)
        self.opted_out += opted_out
        self.refused += len(rows.refused) - opted_out
        self.first_rows += different[: _SHOWN - len(self.first_rows)]
        unsent = merge(rows.refused, stopped, key=lambda row: row.line)
        self.sample += list(unsent)[: _SHOWN - len(self.sample)]

    def _is_new(self, number: str) -> bool:
        """Return whether no row before had this number, as far as is remembered."""
        digits = int(number.removeprefix("+"))
        if digits in self._numbers:
            return False
        if len(self._numbers) < _REMEMBERED:
            self._numbers.add(digits)
        return True
