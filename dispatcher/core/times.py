"""The range of times that bulkfax accepts from outside: the years 2000 to 2099 in UTC.

Times are milliseconds since 1970. Within this range every conversion works, in every time zone and with every offset.
"""

from datetime import UTC, datetime

#: the range: from the first value until before the second
FIRST_MS = 946_684_800_000
END_MS = 4_102_444_800_000
#: the longest duration of a setting in seconds: the whole range
LONGEST_S = (END_MS - FIRST_MS) // 1000
#: what to tell whoever sends a time out of range
ADVICE = "give a time from 2000-01-01 until before 2100-01-01 (UTC)"


def in_range(time_ms: float) -> bool:
    """Return whether a time is in the range; False for NaN."""
    return FIRST_MS <= time_ms < END_MS


def to_ms(time: datetime) -> int:
    """Return a time in milliseconds since 1970; one without an offset is local. Raises ValueError if out of range."""
    try:
        time_ms = round(time.timestamp() * 1000)
    except (ValueError, OverflowError, OSError) as error:
        raise ValueError(ADVICE) from error
    if not in_range(time_ms):
        raise ValueError(ADVICE)
    return time_ms


def clock_text(time_ms: int) -> str:
    """Return a time in UTC for people: ``2026-01-02 04:10 UTC``; empty for one out of range."""
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC") if in_range(time_ms) else ""
