"""`GET /faxes`: which faxes a query names, newest first."""

import re
from collections.abc import Callable, Sequence
from typing import Any

from dispatcher.emulator import timestamps
from dispatcher.emulator.faxes import RETENTION_MS, EmulatedFax, Faxes, status_at, view
from dispatcher.emulator.paging import page_of, refuse

#: The window when a query names no time: the last seven days.
_DEFAULT_WINDOW_MS = 7 * 86_400_000
_FAR_MS = 1 << 62
_PAGE_SIZE = 100
_DIRECTIONS = ("OUTBOUND", "INBOUND")
_STATUSES = ("QUEUED", "IN_PROGRESS", "COMPLETED", "FAILURE")
_LABEL = re.compile(r"labels\[([^\]]*)\]")

Keep = Callable[[EmulatedFax], bool]


def list_page(faxes: Faxes, asked: dict[str, str], now_ms: int) -> dict[str, Any]:
    """The page of the list that a query asks for. Raises ApiError 422."""
    return page_of(
        matching(faxes, asked, now_ms),
        asked,
        "faxes",
        lambda fax: view(fax, now_ms),
        default_size=_PAGE_SIZE,
    )


def matching(faxes: Faxes, asked: dict[str, str], now_ms: int) -> Sequence[EmulatedFax]:
    """All faxes that a query names, newest first. Raises ApiError 422."""
    first_ms, end_ms = window(asked, now_ms)
    to, sender = _prefix(asked, "to"), _prefix(asked, "from")
    tests = _tests(asked, now_ms)
    if to:
        found = faxes.to_numbers(to)
    elif sender:
        found = faxes.from_numbers(sender)
    else:
        found = faxes.between(first_ms, end_ms)
    if to or sender:
        tests.append(lambda fax: first_ms <= fax.created_ms < end_ms)
        tests.append(lambda fax: not sender or (fax.sender or "").startswith(sender))
    if faxes.last_visible_ms > now_ms:
        tests.append(lambda fax: fax.visible_ms <= now_ms)
    if tests:
        found = [fax for fax in found if all(test(fax) for test in tests)]
    found.reverse()
    return found


def window(asked: dict[str, str], now_ms: int) -> tuple[int, int]:
    """The times of creation that a query names, as [first, end) in ms; both bounds are inclusive there."""
    if "createTime" in asked:
        first_ms, end_ms = _times(asked, "createTime", timestamps.rest_of_day)
    elif "createTime>" in asked or "createTime<" in asked:
        first_ms = _times(asked, "createTime>", timestamps.span)[0] if "createTime>" in asked else 0
        end_ms = _times(asked, "createTime<", timestamps.span)[1] if "createTime<" in asked else _FAR_MS
    else:
        first_ms, end_ms = now_ms - _DEFAULT_WINDOW_MS, _FAR_MS
    return max(first_ms, now_ms - RETENTION_MS + 1), end_ms


def _times(asked: dict[str, str], name: str, read: Callable[[str], tuple[int, int]]) -> tuple[int, int]:
    try:
        return read(asked[name].strip())
    except timestamps.NotATimeError:
        raise refuse(name, "must be a date or time such as 2026-02-01 or 2026-02-01T10:00:00Z") from None


def _prefix(asked: dict[str, str], name: str) -> str:
    """A number or its beginning; a bare + has become a blank on the way."""
    text = asked.get(name, "")
    return "+" + text[1:] if text.startswith(" ") else text


def _tests(asked: dict[str, str], now_ms: int) -> list[Keep]:
    tests: list[Keep] = []
    direction = _named(asked, "direction", _DIRECTIONS)
    if direction:
        tests.append(lambda fax: fax.direction == direction)
    status = _named(asked, "status", _STATUSES)
    if status:
        tests.append(lambda fax: status_at(fax, now_ms) == status)
    service_id = asked.get("serviceId")
    if service_id:
        tests.append(lambda fax: fax.settings.get("serviceId") == service_id)
    labels = {match[1]: value for name, value in asked.items() if (match := _LABEL.fullmatch(name))}
    if labels:
        tests.append(lambda fax: labels.items() <= (fax.labels or {}).items())
    return tests


def _named(asked: dict[str, str], name: str, allowed: tuple[str, ...]) -> str | None:
    value = asked.get(name)
    if value and value not in allowed:
        raise refuse(name, f"must be one of {', '.join(allowed)}")
    return value
