"""Paging as all lists of the API do it, and query strings as clients really send them."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from urllib.parse import parse_qsl

from starlette.requests import Request

from dispatcher.emulator.responses import ApiError

T = TypeVar("T")
MOST_PER_PAGE = 1000


def query(request: Request) -> dict[str, str]:
    """The query of a request; operators belong to the name, as in `createTime>=...`."""
    raw = request.scope["query_string"].decode("latin-1")
    return dict(parse_qsl(raw, keep_blank_values=True, encoding="utf-8", errors="replace"))


def refuse(field: str, description: str) -> ApiError:
    return ApiError(422, "The request has invalid parameters", [(field, description)])


def page_of(
    items: Sequence[T],
    asked: dict[str, str],
    key: str,
    show: Callable[[T], Any],
    *,
    default_size: int = 20,
) -> dict[str, Any]:
    """One page of `items` in the provider's envelope; sends `page` and its older name `pageNumber`.

    Raises:
        ApiError: 422 if `page` or `pageSize` is not usable. Page 0 means the first page.
    """
    size = _whole(asked, "pageSize", default_size)
    if not 1 <= size <= MOST_PER_PAGE:
        raise refuse("pageSize", f"must be from 1 to {MOST_PER_PAGE}")
    page = max(_whole(asked, "page", 1), 1)
    chosen = items[(page - 1) * size : page * size]
    return {
        key: [show(item) for item in chosen],
        "page": page,
        "pageNumber": page,
        "pageSize": size,
        "totalItems": len(items),
        "totalPages": -(-len(items) // size),
    }


def _whole(asked: dict[str, str], name: str, default: int) -> int:
    text = asked.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise refuse(name, "must be a whole number")
    return int(text)
