"""Paging of the lists of the API, and the parsing of query strings."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from urllib.parse import parse_qsl

from starlette.requests import Request

from dispatcher.emulator.responses import ApiError

T = TypeVar("T")
MAX_PAGE_SIZE = 1000


def query_parameters(request: Request) -> dict[str, str]:
    """Return the query parameters of a request.

    An operator is part of the name: ``createTime>=...`` is ``createTime>``.
    """
    raw = request.scope["query_string"].decode("latin-1")
    return dict(parse_qsl(raw, keep_blank_values=True, encoding="utf-8", errors="replace"))


def invalid_parameter(field: str, description: str) -> ApiError:
    """Create the 422 error for one invalid parameter."""
    return ApiError(422, "The request has invalid parameters", [(field, description)])


def page_of(
    items: Sequence[T],
    query: dict[str, str],
    key: str,
    show: Callable[[T], Any],
    *,
    default_size: int = 20,
) -> dict[str, Any]:
    """Return one page of ``items`` in the provider's envelope, with ``page`` and its older name ``pageNumber``.

    Args:
        items: All items of the list.
        query: The query parameters; page 0 is the first page.
        key: The name of the array in the envelope.
        show: Returns the JSON representation of an item.
        default_size: The page size if the query has none.

    Raises:
        ApiError: 422 if ``page`` or ``pageSize`` is invalid.
    """
    size = _whole_number(query, "pageSize", default_size)
    if not 1 <= size <= MAX_PAGE_SIZE:
        raise invalid_parameter("pageSize", f"must be from 1 to {MAX_PAGE_SIZE}")
    page = max(_whole_number(query, "page", 1), 1)
    page_items = items[(page - 1) * size : page * size]
    return {
        key: [show(item) for item in page_items],
        "page": page,
        "pageNumber": page,
        "pageSize": size,
        "totalItems": len(items),
        "totalPages": -(-len(items) // size),
    }


def _whole_number(query: dict[str, str], name: str, default: int) -> int:
    text = query.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise invalid_parameter(name, "must be a whole number")
    return int(text)
