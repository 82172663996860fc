"""Lists: one page at a time, or walked to the end without skipping or repeating."""

from collections.abc import AsyncIterator, Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

from dispatcher.sinch.errors import UnreadableError
from dispatcher.sinch.reading import json_object, whole
from dispatcher.sinch.wire import total_pages

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    """One page of a list. ``number`` counts from 1; ``total_items`` is 0 when the provider does not say."""

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
        total_pages=total_pages(answer, page=page, page_size=page_size, items=len(items)),
        total_items=whole(answer.get("totalItems")),
    )


async def walk(fetch: Callable[[int], Awaitable[Page[T]]], key: Callable[[T], Hashable]) -> AsyncIterator[T]:
    """Every item of a list once, page by page, in the provider's order.

    Items that are added in front push known ones to later pages, where they are passed over by their key. Nothing
    is skipped as long as nothing leaves the list: see ``Faxes.walk`` for how that is kept.
    """
    seen: set[Hashable] = set()
    number = 1
    while True:
        page = await fetch(number)
        for item in page.items:
            if key(item) not in seen:
                seen.add(key(item))
                yield item
        if not page.items or number >= page.total_pages:
            return
        number += 1
