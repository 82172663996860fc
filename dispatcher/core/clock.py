"""Notices when the clock of Redis steps: deadlines would come too early or too late, and nobody would be at fault."""

#: a difference between two clocks' progress that no delay of an answer explains
STEP_S = 2.0


class ClockWatch:
    """Compares the progress of the server's clock with that of a clock that never steps."""

    def __init__(self, *, settling_s: float) -> None:
        self._settling_s = settling_s
        self._last: tuple[int, float] | None = None
        self._suspended_until_s = 0.0

    def steady(self, server_ms: int, own_s: float) -> bool:
        """False for one settling time after a step of more than 2 s: until then nothing may be reaped."""
        if self._last is not None:
            server_passed_s = (server_ms - self._last[0]) / 1000
            if abs(server_passed_s - (own_s - self._last[1])) > STEP_S:
                self._suspended_until_s = own_s + self._settling_s
        self._last = (server_ms, own_s)
        return own_s >= self._suspended_until_s
