"""Runs many histories one after the other, for tests and for ``./run chaos --simulated``."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import redis

from dispatcher.local.redis_server import EmbeddedServer
from tests.simulation.faults import ENABLED, Fault
from tests.simulation.history import Report, run_history

#: limits below which Redis keeps hashes and sets in order; larger ones have a different order on each server
_KEEP_ORDER = {
    "hash-max-ziplist-entries": 10_000,
    "hash-max-ziplist-value": 100_000,
    "set-max-listpack-entries": 10_000,
    "set-max-listpack-value": 100_000,
}


@dataclass(slots=True)
class Summary:
    """The sum of the reports of many histories."""

    histories: int = 0
    jobs: int = 0
    hours: float = 0.0
    counts: Counter[str] = field(default_factory=Counter)
    wrong: list[Report] = field(default_factory=list)

    def add(self, report: Report) -> None:
        """Add the report of a history."""
        self.histories += 1
        self.jobs += report.jobs
        self.hours += report.hours
        self.counts += report.counts
        if report.faults:
            self.wrong.append(report)

    @property
    def events(self) -> int:
        """Faults and counts."""
        return self.counts.total()

    @property
    def line(self) -> dict[str, Any]:
        """The summary for ``--json``."""
        return {
            "histories": self.histories,
            "jobs": self.jobs,
            "simulated_hours": round(self.hours, 1),
            "events": self.events,
            "faults": dict(self.counts.most_common()),
            "wrong": [report.seed for report in self.wrong],
        }


@contextmanager
def ephemeral_server(folder: Path) -> Iterator[str]:
    """Start a Redis server that writes nothing to disk and keeps small hashes and sets in order, and yield its URL."""
    with EmbeddedServer(folder) as server:
        with redis.Redis.from_url(server.url) as client:
            client.config_set("appendonly", "no")
            for setting, value in _KEEP_ORDER.items():
                with suppress(redis.ResponseError):  # a setting of newer servers
                    client.config_set(setting, value)
        yield server.url


def run_histories(
    url: str,
    seeds: Iterable[int],
    faults: frozenset[Fault] = ENABLED,
    *,
    until_s: float = float("inf"),
    on_report: Callable[[Report], None] = lambda report: None,
) -> Summary:
    """Run the histories of some seeds.

    Args:
        url: URL of the Redis server.
        seeds: One seed for each history.
        faults: The classes of faults that may occur.
        until_s: Time of the monotonic clock after which no further history begins.
        on_report: Called with each report.
    """
    summary = Summary()
    for seed in seeds:
        if time.monotonic() > until_s:
            break
        report = run_history(url, seed, faults)
        summary.add(report)
        on_report(report)
    return summary


def assert_nothing_wrong(url: str, seeds: Sequence[int]) -> None:
    """Run histories, and check that nothing is wrong in any of them."""
    histories = run_histories(url, seeds)
    assert histories.histories == len(seeds)
    assert not histories.wrong, "\n\n".join(map(str, histories.wrong))
