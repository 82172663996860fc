"""Lists: one page at a time, or walked to the end without skipping or repeating."""

from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from dispatcher.sinch.coerce import json_object, whole
from dispatcher.sinch.errors import UnreadableError
from dispatcher.sinch.wire import total_pages

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    """One page of a list. ``number`` counts from 1; totals are 0 when the provider does not say."""

    items: tuple[T, ...]
    number: int
    total_pages: int
    total_items: int = 0


def page_query(page: int, page_size: int) -> tuple[tuple[str, str], ...]:
    """The query of one page, counted from 1."""
    return (("page", str(page)), ("pageSize", str(page_size)))


def read_list(body: bytes, key: str, read: Callable[[object], T], *, page: int, page_size: int) -> Page[T]:
    """The list under ``key``. Raises UnreadableError: an unreadable list never passes for one without items."""
    answer = json_object(body)
    items = None if answer is None else answer.get(key)
    if answer is None or not isinstance(items, list):
        raise UnreadableError(f"the answer is not a list of {key}")
    return Page(
        items=tuple(read(item) for item in items),
        number=whole(answer.get("page")) or whole(answer.get("pageNumber")) or page,
        total_pages=total_pages(answer),
        total_items=whole(answer.get("totalItems")),
    )


class ListReading:
    """Whether all pages of a list were read.

    A list that says how many pages it has is read to the last of them. Any other is read until a page is empty or
    brings nothing new: pages are as small as the provider likes, whatever it was asked for.
    """

    def __init__(self) -> None:
        self._known = set[Hashable]()
        self._pages = 0
        #: False once a page before the last was empty or brought nothing new: then it is no list of what is there
        self.whole = True

    def add(self, keys: Sequence[Hashable], total_pages: int) -> bool:
        """One more page, by the keys of its items. Whether there is another to read."""
        before = len(self._known)
        self._known.update(keys)
        self._pages += 1
        fresh = len(self._known) > before
        if not total_pages:
            return fresh
        more = self._pages < total_pages
        self.whole = self.whole and (fresh or not more)
        return more and bool(keys)


async def walk(fetch: Callable[[int], Awaitable[Page[T]]], key: Callable[[T], Hashable]) -> AsyncIterator[T]:
    """Every item of a list once, page by page, in the provider's order.

    Items that are added in front push known ones to later pages, where they are passed over by their key. Nothing
    is skipped as long as nothing leaves the list: see ``Faxes.walk`` for how that is kept.
    """
    reading, number, more = ListReading(), 1, True
    seen: set[Hashable] = set()
    while more:
        page = await fetch(number)
        for item in page.items:
            if key(item) not in seen:
                seen.add(key(item))
                yield item
        more = reading.add([key(item) for item in page.items], page.total_pages)
        number += 1
