"""The wall clock, and times as text. Internally times are milliseconds since 1970, with 0 for "no time"."""

import time
from datetime import UTC, datetime

from dispatcher.core.times import in_range


def now_ms() -> int:
    """Return the time of this machine's clock. Scheduling uses the store's clock instead."""
    return time.time_ns() // 1_000_000


def rfc3339(at_ms: int) -> str:
    """Format a time as RFC 3339 in UTC with milliseconds, such as ``2026-01-01T00:00:00.000Z``.

    Empty for 0, and for a stored value that is out of range and can be no time.
    """
    if not in_range(at_ms):
        return ""
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
