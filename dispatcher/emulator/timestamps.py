"""The time formats of list queries: years, months, days and points in time."""

import re
from datetime import UTC, datetime, timedelta

_PARTIAL = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?")
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?(?:[Zz]|[+\- ]\d{2}:?\d{2})?")
_SECOND = timedelta(seconds=1)


class InvalidTimeError(ValueError):
    """A text is not a time."""


def span(text: str) -> tuple[int, int]:
    """Return the milliseconds that a year, a month, a day or a point in time covers, as [first, end).

    A point in time covers one second.

    Raises:
        InvalidTimeError: the text is none of these.
    """
    try:
        return _span(text)
    except (ValueError, OverflowError):
        raise InvalidTimeError(text) from None


def _span(text: str) -> tuple[int, int]:
    partial = _PARTIAL.fullmatch(text)
    if partial:
        first = datetime(int(partial[1]), int(partial[2] or 1), int(partial[3] or 1), tzinfo=UTC)
        return _ms(first), _ms(_after(first, month=partial[2] is not None, day=partial[3] is not None))
    if not _MOMENT.fullmatch(text):
        raise ValueError(text)
    # A + in the offset that was not percent-encoded arrives as a space.
    moment = datetime.fromisoformat(f"{text[:10]}T{text[11:]}".replace(" ", "+").replace(",", "."))
    moment = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).replace(microsecond=0)
    return _ms(moment), _ms(moment + _SECOND)


def rest_of_day(text: str) -> tuple[int, int]:
    """Return the milliseconds that ``createTime=`` covers: for a point in time, the rest of its day.

    Raises:
        InvalidTimeError: the text is not a time.
    """
    first_ms, end_ms = span(text)
    if end_ms - first_ms > 1000:
        return first_ms, end_ms
    day = datetime.fromtimestamp(first_ms / 1000, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return first_ms, _ms(day + timedelta(days=1))


def _after(first: datetime, *, month: bool, day: bool) -> datetime:
    """Return the start of the next day, month or year."""
    if day:
        return first + timedelta(days=1)
    if month:
        return (first + timedelta(days=31)).replace(day=1)
    return first.replace(year=first.year + 1)


def _ms(moment: datetime) -> int:
    return int(moment.timestamp()) * 1000
