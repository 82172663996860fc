"""Times as people and machines read them. Inside they are milliseconds since 1970, with 0 for "none"."""

import time
from datetime import UTC, datetime


def now_ms() -> int:
    """The wall clock of this process. Schedules go by the store's clock, not by this one."""
    return time.time_ns() // 1_000_000


def rfc3339(at_ms: int) -> str:
    """RFC 3339 in UTC with milliseconds, as in ``2026-01-01T00:00:00.000Z``; empty for 0."""
    if not at_ms:
        return ""
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
