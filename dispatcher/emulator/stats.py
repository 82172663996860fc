"""Counts of what the emulator was asked and what it did, for tests and benchmarks."""

from collections import Counter
from typing import Any


class Stats:
    """Plain counters. Seconds are whole seconds since 1970."""

    def __init__(self) -> None:
        self.accepted = 0
        self.tokens_issued = 0
        self.in_flight = 0
        self.most_in_flight = 0
        self.requests_by_status: Counter[str] = Counter()
        self.posts_per_second: Counter[int] = Counter()
        self.accepted_per_second: Counter[int] = Counter()
        self.rate_limited = 0
        self.faults: Counter[str] = Counter()
        self.callbacks_by_status: Counter[str] = Counter()

    def fault(self, kind: str) -> None:
        self.faults[kind] += 1

    def request_began(self) -> None:
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)

    def view(self) -> dict[str, Any]:
        return {
            "accepted": self.accepted,
            "tokensIssued": self.tokens_issued,
            "rateLimited": self.rate_limited,
            "inFlight": self.in_flight,
            "mostInFlight": self.most_in_flight,
            "requestsByStatus": dict(self.requests_by_status),
            "postsPerSecond": dict(self.posts_per_second),
            "acceptedPerSecond": dict(self.accepted_per_second),
            "faults": dict(self.faults),
            "callbacksByStatus": dict(self.callbacks_by_status),
        }
