import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.sinch.coerce import text
from dispatcher.sinch.errors import UnreadableError
from dispatcher.sinch.paging import ListProgress, Page, iter_all, read_list


@dataclass
class GrowingList:
    """A list that gains items between the requests for its pages, at the front or at the end."""

    items: list[int]
    page_size: int
    arrivals: Sequence[int]
    newest_first: bool
    requested: list[int] = field(default_factory=list)

    async def page(self, number: int) -> Page[int]:
        self.requested.append(number)
        start = (number - 1) * self.page_size
        page = Page(
            items=tuple(self.items[start : start + self.page_size]),
            number=number,
            total_pages=-(-len(self.items) // self.page_size),
        )
        arrived = self.arrivals[len(self.requested) - 1] if len(self.requested) <= len(self.arrivals) else 0
        for _ in range(arrived):
            self.items.insert(0 if self.newest_first else len(self.items), len(self.items))
        return page


async def walk_all(growing: GrowingList) -> list[int]:
    return [item async for item in iter_all(growing.page, key=lambda item: item)]


@given(
    size=st.integers(0, 60),
    page_size=st.integers(1, 25),
    arrivals=st.lists(st.integers(0, 30), max_size=12),
    newest_first=st.booleans(),
)
def test_a_walk_yields_each_item_once_while_new_ones_arrive(
    size: int, page_size: int, arrivals: list[int], newest_first: bool
) -> None:
    existing = list(range(size))
    items = existing[::-1] if newest_first else list(existing)
    growing = GrowingList(items, page_size, arrivals, newest_first)
    seen = asyncio.run(walk_all(growing))
    assert len(seen) == len(set(seen))
    assert set(seen) >= set(existing)
    assert set(seen) <= set(growing.items)
    assert growing.requested == list(range(1, len(growing.requested) + 1))


def test_a_walk_ends_at_an_empty_page_whatever_the_total() -> None:
    async def page(number: int) -> Page[int]:
        return Page(items=(1, 2) if number == 1 else (), number=number, total_pages=99)

    async def collect() -> list[int]:
        return [item async for item in iter_all(page, key=lambda item: item)]

    assert asyncio.run(collect()) == [1, 2]


def test_a_list_is_read_with_its_paging() -> None:
    body = json.dumps({"emails": ["a@b.example"], "pageNumber": 2, "totalPages": 3, "totalItems": 41}).encode()
    read = read_list(body, "emails", text, page=2)
    assert read == Page(items=("a@b.example",), number=2, total_pages=3, total_items=41)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"emails": null}', b'{"emails": {}}'])
def test_an_unreadable_list_is_not_an_empty_one(body: bytes) -> None:
    with pytest.raises(UnreadableError):
        read_list(body, "emails", text, page=1)


@dataclass
class CappedList:
    """A list with pages of 100 items, whatever page size is requested, and possibly without a number of pages."""

    items: int
    has_total: bool
    #: all further pages are the same as this one
    stuck: int = 99
    requested: int = 0

    async def page(self, number: int) -> Page[int]:
        self.requested += 1
        start = (min(number, self.stuck) - 1) * 100
        items = tuple(range(start, min(start + 100, self.items)))
        return Page(items=items, number=number, total_pages=-(-self.items // 100) if self.has_total else 0)


@pytest.mark.parametrize(("items", "requests"), [(0, 1), (1, 2), (99, 2), (100, 2), (250, 4), (300, 4)])
def test_a_list_without_a_number_of_pages_is_read_until_a_page_has_no_new_items(items: int, requests: int) -> None:
    """Small pages are no sign of the end: the fax may be on the next page."""

    async def collect() -> list[int]:
        return [item async for item in iter_all(capped.page, key=lambda item: item)]

    capped = CappedList(items, has_total=False)
    assert asyncio.run(collect()) == list(range(items))
    assert capped.requested == requests
    capped = CappedList(items, has_total=True)
    assert asyncio.run(collect()) == list(range(items))
    assert capped.requested == max(1, -(-items // 100))


@pytest.mark.parametrize(
    ("pages", "total", "whole"),
    [
        ([[1, 2], [3]], 2, True),
        ([[1, 2], []], 2, True),
        ([[]], 0, True),
        ([[]], 1, True),
        ([[1], [2], [2]], 0, True),
        ([[1, 2], [], [3]], 3, False),
        ([[1, 2], [1, 2], [3]], 3, False),
        ([[]], 4, False),
    ],
    ids=str,
)
def test_a_list_that_ends_before_its_last_page_is_not_complete(pages: list[list[int]], total: int, whole: bool) -> None:
    progress = ListProgress()
    for page in pages:
        if not progress.add(page, total):
            break
    assert progress.complete is whole
