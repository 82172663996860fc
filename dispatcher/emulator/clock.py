"""The emulator's wall clock, and the provider's form of a time."""

import time
from datetime import UTC, datetime
from functools import lru_cache


class Clock:
    """Milliseconds since 1970 that can be moved forward, so that a test sees retention end."""

    def __init__(self) -> None:
        self._ahead_ms = 0

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000 + self._ahead_ms

    def advance(self, seconds: float) -> None:
        """Move the clock forward; timers that already run keep their pace."""
        self._ahead_ms += int(seconds * 1000)


def rfc3339(ms: int) -> str:
    """Write `ms` as the provider does: UTC, whole seconds, `Z`."""
    return _second_text(ms // 1000)


@lru_cache(maxsize=4096)
def _second_text(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
