"""The wall clock, and times as text. Internally times are milliseconds since 1970, with 0 for "no time"."""

import time
from datetime import UTC, datetime
from functools import lru_cache

from dispatcher.core.times import in_range


def now_ms() -> int:
    """Return the time of this machine's clock. Scheduling uses the store's clock instead."""
    return time.time_ns() // 1_000_000


def rfc3339(at_ms: int) -> str:
    """Format a time as RFC 3339 in UTC with milliseconds, such as ``2026-01-01T00:00:00.000Z``.

    Empty for 0, and for a stored value that is out of range and can be no time.
    """
    return f"{_second(at_ms // 1000)}.{at_ms % 1000:03}Z" if in_range(at_ms) else ""


@lru_cache(maxsize=1024)
def _second(at_s: int) -> str:
    """Return the text of a second: in lists and reports, many times are of the same ones."""
    return datetime.fromtimestamp(at_s, UTC).isoformat().removesuffix("+00:00")
