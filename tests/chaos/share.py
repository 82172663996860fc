"""The share of the possible rate: faxes accepted while at least one job could be sent, against rate x that time."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

#: a look that came so much later than the one before says nothing of the time between, seconds
_LONGEST_GAP_S = 2.0


@dataclass(slots=True)
class SendableTime:
    """Stretches of time in which a job could be sent, from looks at the metrics; seconds since 1970.

    A stretch counts when a job waited and nothing was held at both of its ends. Jobs of drafts and retries that wait
    count as jobs that could be sent, so the share is at least what is reported.
    """

    stretches: list[tuple[float, float]] = field(default_factory=list)
    _last: tuple[float, bool] | None = None

    def note(self, now_s: float, *, waiting: int, held: int) -> None:
        """One look. Call it only when the metrics could be read."""
        sendable = waiting > 0 and held == 0
        if self._last is not None:
            began_s, before = self._last
            if sendable and before and now_s - began_s <= _LONGEST_GAP_S:
                self.stretches.append((began_s, now_s))
        self._last = (now_s, sendable)

    def share(self, accepted_s: Sequence[float], rate: float) -> float:
        """From 0 to 1; ``accepted_s`` rise. 0 when nothing could ever be sent."""
        seconds = sum(end - begin for begin, end in self.stretches)
        accepted = sum(bisect_left(accepted_s, end) - bisect_left(accepted_s, begin) for begin, end in self.stretches)
        return accepted / (rate * seconds) if seconds else 0.0


def sendable_jobs(states: Mapping[str, float]) -> int:
    """Jobs that wait for a send, by the states of the metrics."""
    return int(states.get("waiting", 0) + states.get("leased", 0))
