"""Notices when the clock of Redis steps: deadlines would then come too early or too late."""

from dataclasses import dataclass

#: a difference between the progress of two clocks that no delay of an answer explains
STEP_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockReading:
    """The server's clock, seen beside a clock that never steps (seconds), and until when a step is waited out."""

    server_ms: int
    own_s: float
    suspended_until_s: float = 0.0

    @property
    def steady(self) -> bool:
        """False while a step is waited out: until then no job may be given back or written off."""
        return self.own_s >= self.suspended_until_s


def read_clock(last: ClockReading | None, server_ms: int, own_s: float, *, wait_s: float) -> ClockReading:
    """Read the server's clock again. After a step of more than 2 s, in either direction, ``wait_s`` begins anew."""
    until_s = last.suspended_until_s if last else 0.0
    if last and abs((server_ms - last.server_ms) / 1000 - (own_s - last.own_s)) > STEP_S:
        until_s = own_s + wait_s
    return ClockReading(server_ms=server_ms, own_s=own_s, suspended_until_s=until_s)
