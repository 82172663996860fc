"""The emulator's wall clock, and the provider's time format."""

import time
from datetime import UTC, datetime
from functools import lru_cache


class Clock:
    """A wall clock in milliseconds since 1970.

    Tests move it forward, for example past the end of the retention period.
    """

    def __init__(self) -> None:
        self._ahead_ms = 0

    def now_ms(self) -> int:
        """Return the current time in milliseconds since 1970."""
        return time.time_ns() // 1_000_000 + self._ahead_ms

    def advance(self, seconds: float) -> None:
        """Move the clock forward.

        Timers that are already running are not affected.
        """
        self._ahead_ms += int(seconds * 1000)


def rfc3339(ms: int) -> str:
    """Format milliseconds since 1970 as the provider does: UTC, whole seconds, ``Z``."""
    return _second_text(ms // 1000)


@lru_cache(maxsize=4096)
def _second_text(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
