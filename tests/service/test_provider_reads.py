"""A page that is too large is read in smaller ones, and no fax is left out by that."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from dispatcher.core.outcome import FaxStatus, FaxUpdate
from dispatcher.core.policy.policy import Policy
from dispatcher.service.permits import ReadKind
from dispatcher.service.provider_reads import ProviderReads
from dispatcher.sinch.errors import TooLargeError, UnreadableError
from dispatcher.sinch.wire import FaxQuery, ListPage
from dispatcher.store.holds import ListNote

pytestmark = pytest.mark.anyio

FAXES = [FaxUpdate(fax_id=f"F{number}", status=FaxStatus.COMPLETED) for number in range(45)]


class CountedPermits:
    """CountedPermits for every read, and their number."""

    taken = 0

    @asynccontextmanager
    async def read(self, kind: ReadKind) -> AsyncIterator[int]:
        self.taken += 1
        yield 0


class Notes:
    """What was noted about lists."""

    def __init__(self) -> None:
        self.readable: list[bool] = []

    async def note_list(self, policy: Policy, *, readable: bool) -> ListNote | None:
        self.readable.append(readable)
        return None


class LargeFaxes:
    """A provider whose pages can be read up to ``largest`` faxes; fax 30 is so large that its page never can be."""

    def __init__(self, largest: int, *, has_total: bool = True) -> None:
        self._largest = largest
        self._has_total = has_total
        self.sizes: list[int] = []

    async def list_page(self, query: FaxQuery, page: int, *, total_s: float) -> ListPage:
        size = query.page_size
        self.sizes.append(size)
        faxes = FAXES[(page - 1) * size : page * size]
        if len(faxes) > self._largest or (FAXES[30] in faxes and size > min(self._largest, 10)):
            raise TooLargeError("the answer is too large")
        total = -(-len(FAXES) // size) if self._has_total else 0
        return ListPage(faxes=tuple(faxes), page=page, total_pages=total)


def reads_of(provider: LargeFaxes) -> tuple[ProviderReads, CountedPermits, Notes]:
    permits, notes = CountedPermits(), Notes()
    return ProviderReads(provider, permits, notes, Policy()), permits, notes  # type: ignore[arg-type]


@pytest.mark.parametrize("has_total", [True, False])
@pytest.mark.parametrize(("largest", "last"), [(100, 10), (10, 10), (9, 1), (1, 1)])
async def test_a_list_is_read_in_pages_that_can_be_read(largest: int, last: int, has_total: bool) -> None:
    provider = LargeFaxes(largest, has_total=has_total)
    reads, permits, notes = reads_of(provider)
    listed = await reads.listed(FaxQuery(page_size=100), ReadKind.WINDOW)
    assert [fax.fax_id for fax in listed.faxes] == [fax.fax_id for fax in FAXES]
    assert (provider.sizes[0], provider.sizes[-1]) == (100, last)
    assert permits.taken == len(provider.sizes)
    assert notes.readable == [True]


async def test_a_list_with_a_fax_that_is_too_large_alone_is_unreadable() -> None:
    provider = LargeFaxes(0)
    reads, _, notes = reads_of(provider)
    with pytest.raises(UnreadableError):
        await reads.listed(FaxQuery(), ReadKind.NUMBER)
    assert provider.sizes == [1000, 100, 10, 1]
    assert notes.readable == [False]


async def test_the_newest_faxes_are_those_of_the_first_page_that_can_be_read() -> None:
    reads, _, _ = reads_of(LargeFaxes(10))
    assert list(await reads.newest(FaxQuery(), ReadKind.WINDOW)) == FAXES[:10]
