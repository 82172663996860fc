"""Paged lists: reading one page, and iterating over the items without duplicates."""

from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from dispatcher.core.counted import counted
from dispatcher.sinch.coerce import integer
from dispatcher.sinch.errors import UnreadableError
from dispatcher.sinch.wire import MAX_LIST_PAGES, page_number, read_items, total_pages

T = TypeVar("T")

#: a list with more items is unreadable
MAX_LIST_ITEMS = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    """One page of a list.

    ``number`` counts from 1; the totals are 0 if the provider does not send them.
    """

    items: tuple[T, ...]
    number: int
    total_pages: int
    total_items: int = 0


def page_query(page: int, page_size: int) -> tuple[tuple[str, str], ...]:
    """Return the query parameters of a page, counted from 1."""
    return (("page", str(page)), ("pageSize", str(page_size)))


def read_list(body: bytes, key: str, read_item: Callable[[object], T], *, page: int) -> Page[T]:
    """Read a page of a list from the body of a response.

    Args:
        body: the body.
        key: the name of the array.
        read_item: reads one item of it.
        page: the requested page, used if the response does not name one.

    Raises:
        TooLargeError: the body has too many values or items.
        UnreadableError: the body is not a list. It must not be confused with an empty list.
    """
    response, items = read_items(body, key)
    return Page(
        items=tuple(read_item(item) for item in items),
        number=page_number(response) or page,
        total_pages=total_pages(response),
        total_items=max(0, integer(response.get("totalItems"))),
    )


class ListProgress:
    """Decides when all pages of a list have been read.

    If the provider sends the number of pages, reading ends after the last one or at an empty one. Otherwise, it ends at
    a page that is empty or has no new items; their size proves nothing, because the provider may send smaller pages
    than requested.
    """

    def __init__(self) -> None:
        self._seen_keys = set[Hashable]()
        self._pages = 0
        #: False once a page before the last one was empty or had no new items: the list may lack items
        self.complete = True

    def add(self, keys: Sequence[Hashable], total_pages: int) -> bool:
        """Add the keys of the items of the next page, and return whether to read another page."""
        before = len(self._seen_keys)
        self._seen_keys.update(keys)
        self._pages += 1
        has_new = len(self._seen_keys) > before
        if not total_pages:
            return has_new
        more = self._pages < total_pages
        self.complete = self.complete and (has_new or not more)
        return more and bool(keys)


async def iter_all(fetch: Callable[[int], Awaitable[Page[T]]], key: Callable[[T], Hashable]) -> AsyncIterator[T]:
    """Iterate over the items of a list, each once, in the provider's order.

    New items at the front move known ones to later pages, where they are skipped by their key. An item is missed if
    one before it is removed meanwhile; only ``Faxes.iter_all`` prevents that. A list that breaks off ends the iteration
    without an error.

    Raises:
        UnreadableError: the list does not end.
    """
    progress, number, more = ListProgress(), 1, True
    seen: set[Hashable] = set()
    while more:
        if number > MAX_LIST_PAGES or len(seen) > MAX_LIST_ITEMS:
            raise UnreadableError(f"a list without an end: {counted(number - 1, 'page')} read")
        page = await fetch(number)
        for item in page.items:
            if key(item) not in seen:
                seen.add(key(item))
                yield item
        more = progress.add([key(item) for item in page.items], page.total_pages)
        number += 1
