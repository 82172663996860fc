"""The used share of the rate: accepted faxes divided by those possible while at least one job could be sent."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

#: seconds between two samples above which the time between them does not count
_MAX_GAP_S = 2.0


@dataclass(slots=True)
class SendableTime:
    """The time intervals in which a job could be sent, from samples of the metrics, in seconds since 1970.

    An interval counts if a job waited and nothing was held at both of its ends. Drafts and waiting retries count as
    jobs that could be sent, so the real share is at least the reported one.
    """

    intervals: list[tuple[float, float]] = field(default_factory=list)
    _last: tuple[float, bool] | None = None

    def add_sample(self, now_s: float, *, waiting: int, held: int) -> None:
        """Add a sample. Call it only if the metrics could be read."""
        sendable = waiting > 0 and held == 0
        if self._last is not None:
            began_s, before = self._last
            if sendable and before and now_s - began_s <= _MAX_GAP_S:
                self.intervals.append((began_s, now_s))
        self._last = (now_s, sendable)

    def share(self, accepted_s: Sequence[float], rate: float) -> float:
        """Return the share, from 0 to 1; 0 if no job could ever be sent. ``accepted_s`` are in ascending order."""
        seconds = sum(end - begin for begin, end in self.intervals)
        accepted = sum(bisect_left(accepted_s, end) - bisect_left(accepted_s, begin) for begin, end in self.intervals)
        return accepted / (rate * seconds) if seconds else 0.0


def sendable_jobs(states: Mapping[str, float]) -> int:
    """Return the number of jobs that wait for a send, from the job counts by state."""
    return int(states.get("waiting", 0) + states.get("leased", 0))
