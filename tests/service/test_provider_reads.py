"""A page that is too large is read in smaller ones, and no fax is left out by that."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

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


def reads_of(provider: object) -> tuple[ProviderReads, CountedPermits, Notes]:
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


class OnePage:
    """A provider that ignores the page size: a page has all faxes of its time, one a second; 20 can be read."""

    def __init__(self) -> None:
        self.queries: list[FaxQuery] = []

    async def list_page(self, query: FaxQuery, page: int, *, total_s: float) -> ListPage:
        self.queries.append(query)
        first, last = (query.created_from_ms or 0) // 1000, (query.created_to_ms or 10**9) // 1000
        faxes = FAXES[first : last + 1]
        if len(faxes) > 20:
            raise TooLargeError("the list of faxes has too many values")
        return ListPage(faxes=tuple(faxes), page=1, total_pages=1)


async def test_a_list_whose_pages_ignore_their_size_is_read_in_parts_of_its_time() -> None:
    provider = OnePage()
    reads, permits, notes = reads_of(provider)
    listed = await reads.listed(FaxQuery(created_from_ms=0, created_to_ms=3_600_000), ReadKind.NUMBER)
    assert {fax.fax_id for fax in listed.faxes} == {fax.fax_id for fax in FAXES}
    assert permits.taken == len(provider.queries) < 30
    assert notes.readable == [True]


async def test_the_newest_of_pages_that_ignore_their_size_are_those_of_the_latest_part_with_any() -> None:
    reads, _, _ = reads_of(OnePage())
    newest = await reads.newest(FaxQuery(created_from_ms=0, created_to_ms=3_600_000), ReadKind.WINDOW)
    assert newest[-1] == FAXES[-1]
    assert len(newest) <= 20


@pytest.mark.parametrize("to_ms", [1_000, 30_000, 10**12])
async def test_a_list_that_is_too_large_in_all_its_parts_ends_after_some_of_them(to_ms: int) -> None:
    provider = LargeFaxes(0)
    reads, _, notes = reads_of(provider)
    with pytest.raises(TooLargeError):
        await reads.listed(FaxQuery(created_from_ms=0, created_to_ms=to_ms), ReadKind.WINDOW)
    assert len(provider.sizes) < 60
    assert notes.readable == [False]


@given(st.integers(0, 10**13), st.integers(0, 10**13))
def test_halves_leave_no_second_out(first_ms: int, last_ms: int) -> None:
    query = FaxQuery(created_from_ms=min(first_ms, last_ms), created_to_ms=max(first_ms, last_ms))
    if halves := query.in_halves():
        earlier, later = halves
        assert (earlier.created_from_ms, later.created_to_ms) == (query.created_from_ms, query.created_to_ms)
        assert earlier.created_to_ms == later.created_from_ms
        assert query.created_from_ms < earlier.created_to_ms < query.created_to_ms  # type: ignore[operator]
    else:
        assert query.created_to_ms - query.created_from_ms <= 4_000  # type: ignore[operator]
