"""Counters of requests, faxes, faults and callbacks, for tests and benchmarks."""

from collections import Counter
from typing import Any


class Stats:
    """Counters of an emulator.

    The keys of the counters per second are whole seconds since 1970.
    """

    def __init__(self) -> None:
        self.accepted = 0
        self.tokens_issued = 0
        self.in_flight = 0
        self.max_in_flight = 0
        self.requests_by_status: Counter[str] = Counter()
        self.posts_per_second: Counter[int] = Counter()
        self.accepted_per_second: Counter[int] = Counter()
        self.rate_limited = 0
        self.faults: Counter[str] = Counter()
        self.callbacks_by_status: Counter[str] = Counter()

    def count_fault(self, kind: str) -> None:
        """Count a simulated fault."""
        self.faults[kind] += 1

    def request_started(self) -> None:
        """Count a request as in flight.

        The caller decreases ``in_flight`` when it ends.
        """
        self.in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self.in_flight)

    def view(self) -> dict[str, Any]:
        """Return all counters as JSON."""
        return {
            "accepted": self.accepted,
            "tokensIssued": self.tokens_issued,
            "rateLimited": self.rate_limited,
            "inFlight": self.in_flight,
            "mostInFlight": self.max_in_flight,
            "requestsByStatus": dict(self.requests_by_status),
            "postsPerSecond": dict(self.posts_per_second),
            "acceptedPerSecond": dict(self.accepted_per_second),
            "faults": dict(self.faults),
            "callbacksByStatus": dict(self.callbacks_by_status),
        }
