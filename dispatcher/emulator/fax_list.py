"""``GET /faxes``: the faxes that match a query, newest first."""

import re
from collections.abc import Callable, Sequence
from typing import Any

from dispatcher.emulator import timestamps
from dispatcher.emulator.faxes import RETENTION_MS, EmulatedFax, Faxes, status_at, view
from dispatcher.emulator.paging import invalid_parameter, page_of

#: without a time in the query, the list covers the last seven days
_DEFAULT_WINDOW_MS = 7 * 86_400_000
_FAR_MS = 1 << 62
_PAGE_SIZE = 100
_DIRECTIONS = ("OUTBOUND", "INBOUND")
_STATUSES = ("QUEUED", "IN_PROGRESS", "COMPLETED", "FAILURE")
_LABEL = re.compile(r"labels\[([^\]]*)\]")

Filter = Callable[[EmulatedFax], bool]


def list_page(faxes: Faxes, query: dict[str, str], now_ms: int) -> dict[str, Any]:
    """Return the page of the list that a query asks for.

    Raises:
        ApiError: 422 if a parameter is invalid.
    """
    return page_of(
        matching_faxes(faxes, query, now_ms),
        query,
        "faxes",
        lambda fax: view(fax, now_ms),
        default_size=_PAGE_SIZE,
    )


def matching_faxes(faxes: Faxes, query: dict[str, str], now_ms: int) -> Sequence[EmulatedFax]:
    """Return all faxes that match a query, newest first.

    Raises:
        ApiError: 422 if a parameter is invalid.
    """
    first_ms, end_ms = creation_window(query, now_ms)
    to, sender = _prefix(query, "to"), _prefix(query, "from")
    filters = _filters(query, now_ms)
    if to:
        matches = faxes.to_numbers(to)
    elif sender:
        matches = faxes.from_numbers(sender)
    else:
        matches = faxes.between(first_ms, end_ms)
    if to or sender:
        filters.append(lambda fax: first_ms <= fax.created_ms < end_ms)
        filters.append(lambda fax: not sender or (fax.sender or "").startswith(sender))
    if faxes.last_visible_ms > now_ms:
        filters.append(lambda fax: fax.visible_ms <= now_ms)
    if filters:
        matches = [fax for fax in matches if all(matches_filter(fax) for matches_filter in filters)]
    matches.reverse()
    return matches


def creation_window(query: dict[str, str], now_ms: int) -> tuple[int, int]:
    """Return the creation times that a query covers, as [first, end) in milliseconds.

    In the query, both bounds are inclusive.
    """
    if "createTime" in query:
        first_ms, end_ms = _time_range(query, "createTime", timestamps.rest_of_day)
    elif "createTime>" in query or "createTime<" in query:
        first_ms = _time_range(query, "createTime>", timestamps.span)[0] if "createTime>" in query else 0
        end_ms = _time_range(query, "createTime<", timestamps.span)[1] if "createTime<" in query else _FAR_MS
    else:
        first_ms, end_ms = now_ms - _DEFAULT_WINDOW_MS, _FAR_MS
    return max(first_ms, now_ms - RETENTION_MS + 1), end_ms


def _time_range(query: dict[str, str], name: str, read: Callable[[str], tuple[int, int]]) -> tuple[int, int]:
    try:
        return read(query[name].strip())
    except timestamps.InvalidTimeError:
        raise invalid_parameter(name, "must be a date or time such as 2026-02-01 or 2026-02-01T10:00:00Z") from None


def _prefix(query: dict[str, str], name: str) -> str:
    """Return a number or its first digits.

    A ``+`` that was not percent-encoded arrives as a space.
    """
    text = query.get(name, "")
    return "+" + text[1:] if text.startswith(" ") else text


def _filters(query: dict[str, str], now_ms: int) -> list[Filter]:
    filters: list[Filter] = []
    direction = _enum_parameter(query, "direction", _DIRECTIONS)
    if direction:
        filters.append(lambda fax: fax.direction == direction)
    status = _enum_parameter(query, "status", _STATUSES)
    if status:
        filters.append(lambda fax: status_at(fax, now_ms) == status)
    service_id = query.get("serviceId")
    if service_id:
        filters.append(lambda fax: fax.settings.get("serviceId") == service_id)
    labels = {match[1]: value for name, value in query.items() if (match := _LABEL.fullmatch(name))}
    if labels:
        filters.append(lambda fax: labels.items() <= (fax.labels or {}).items())
    return filters


def _enum_parameter(query: dict[str, str], name: str, allowed: tuple[str, ...]) -> str | None:
    value = query.get(name)
    if value and value not in allowed:
        raise invalid_parameter(name, f"must be one of {', '.join(allowed)}")
    return value
