"""Histograms that are kept as counters: one for each bucket, and one for the sum in microseconds.

They have few buckets, because each one is a counter that is written and a series that is exported.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

#: of the field of the sum
SUM = "sum_us"
_MICROSECONDS = 1e6
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400


@dataclass(frozen=True, slots=True)
class Histogram:
    """A histogram of durations: its name among the counters, and the upper bounds of its buckets in seconds."""

    name: str
    bounds_s: Sequence[float]

    def observation(self, seconds: float) -> dict[str, int]:
        """Return what one duration adds to the counters. A negative one, of clocks that differ, counts as none."""
        seconds = max(0.0, seconds)
        bucket = next((str(bound) for bound in self.bounds_s if seconds <= bound), "+Inf")
        return {f"{self.name}|{bucket}": 1, f"{self.name}|{SUM}": round(seconds * _MICROSECONDS)}

    def buckets(self, totals: Mapping[tuple[str, ...], int]) -> list[tuple[str, float]]:
        """Return the upper bounds with the number of durations up to each, from counters by name and label."""
        buckets, count = [], 0
        for bound in self.bounds_s:
            count += totals.get((self.name, str(bound)), 0)
            buckets.append((str(float(bound)), float(count)))
        return [*buckets, ("+Inf", float(count + totals.get((self.name, "+Inf"), 0)))]

    def sum_s(self, totals: Mapping[tuple[str, ...], int]) -> float:
        """Return the sum of all durations."""
        return totals.get((self.name, SUM), 0) / _MICROSECONDS


#: of POST /faxes, until the answer
SUBMIT = Histogram("submit_seconds", (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0))
#: from the start of a batch to the first attempt of a job, and to its end; counted by scripts, so the bounds are whole
FIRST_ATTEMPT = Histogram("first_attempt_seconds", (1, 10, _MINUTE, 10 * _MINUTE, _HOUR, 6 * _HOUR, _DAY))
FINAL = Histogram("final_seconds", (_MINUTE, 10 * _MINUTE, _HOUR, 6 * _HOUR, _DAY, 3 * _DAY))
#: from the end of a fax, as the provider tells it, to the settled callback
CALLBACK_LAG = Histogram("callback_lag_seconds", (1.0, 5.0, 30.0, 120.0, 600.0, 3600.0))
HISTOGRAMS = (SUBMIT, FIRST_ATTEMPT, FINAL, CALLBACK_LAG)
