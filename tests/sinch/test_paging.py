import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.sinch.errors import UnreadableError
from dispatcher.sinch.paging import Page, read_list, walk
from dispatcher.sinch.reading import text


@dataclass
class GrowingList:
    """A list at a provider that gains items between pages, in front or at the end."""

    items: list[int]
    page_size: int
    arrivals: Sequence[int]
    newest_first: bool
    asked: list[int] = field(default_factory=list)

    async def page(self, number: int) -> Page[int]:
        self.asked.append(number)
        start = (number - 1) * self.page_size
        page = Page(
            items=tuple(self.items[start : start + self.page_size]),
            number=number,
            total_pages=-(-len(self.items) // self.page_size),
        )
        arrived = self.arrivals[len(self.asked) - 1] if len(self.asked) <= len(self.arrivals) else 0
        for _ in range(arrived):
            self.items.insert(0 if self.newest_first else len(self.items), len(self.items))
        return page


async def walked(growing: GrowingList) -> list[int]:
    return [item async for item in walk(growing.page, key=lambda item: item)]


@given(
    size=st.integers(0, 60),
    page_size=st.integers(1, 25),
    arrivals=st.lists(st.integers(0, 30), max_size=12),
    newest_first=st.booleans(),
)
def test_a_walk_yields_each_item_once_while_new_ones_arrive(
    size: int, page_size: int, arrivals: list[int], newest_first: bool
) -> None:
    there_before = list(range(size))
    items = there_before[::-1] if newest_first else list(there_before)
    growing = GrowingList(items, page_size, arrivals, newest_first)
    found = asyncio.run(walked(growing))
    assert len(found) == len(set(found))
    assert set(found) >= set(there_before)
    assert set(found) <= set(growing.items)
    assert growing.asked == list(range(1, len(growing.asked) + 1))


def test_a_walk_ends_at_an_empty_page_whatever_total_it_was_told() -> None:
    async def page(number: int) -> Page[int]:
        return Page(items=(1, 2) if number == 1 else (), number=number, total_pages=99)

    async def collect() -> list[int]:
        return [item async for item in walk(page, key=lambda item: item)]

    assert asyncio.run(collect()) == [1, 2]


def test_a_list_is_read_with_its_paging() -> None:
    body = json.dumps({"emails": ["a@b.example"], "pageNumber": 2, "totalPages": 3, "totalItems": 41}).encode()
    read = read_list(body, "emails", text, page=2, page_size=20)
    assert read == Page(items=("a@b.example",), number=2, total_pages=3, total_items=41)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"emails": null}', b'{"emails": {}}'])
def test_an_unreadable_list_is_not_an_empty_one(body: bytes) -> None:
    with pytest.raises(UnreadableError):
        read_list(body, "emails", text, page=1, page_size=20)
