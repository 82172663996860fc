"""Many histories one after the other: for tests, and for ``./run chaos --simulated``."""

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

#: what is kept as a table is told in an order that each server draws anew
_ORDERED = {
    "hash-max-ziplist-entries": 10_000,
    "hash-max-ziplist-value": 100_000,
    "set-max-listpack-entries": 10_000,
    "set-max-listpack-value": 100_000,
}


@dataclass(slots=True)
class Sum:
    """What came of many histories."""

    histories: int = 0
    jobs: int = 0
    hours: float = 0.0
    answers: Counter[str] = field(default_factory=Counter)
    wrong: list[Report] = field(default_factory=list)

    def add(self, report: Report) -> None:
        self.histories += 1
        self.jobs += report.jobs
        self.hours += report.hours
        self.answers += report.answers
        if report.faults:
            self.wrong.append(report)

    @property
    def events(self) -> int:
        """Faults and answers."""
        return self.answers.total()

    @property
    def line(self) -> dict[str, Any]:
        return {
            "histories": self.histories,
            "jobs": self.jobs,
            "simulated_hours": round(self.hours, 1),
            "events": self.events,
            "faults": dict(self.answers.most_common()),
            "wrong": [report.seed for report in self.wrong],
        }


@contextmanager
def forgetful_server(folder: Path) -> Iterator[str]:
    """URL of a server that writes nothing to disk, and tells the entries of a small hash or set in their order."""
    with EmbeddedServer(folder) as server:
        with redis.Redis.from_url(server.url) as client:
            client.config_set("appendonly", "no")
            for setting, value in _ORDERED.items():
                with suppress(redis.ResponseError):  # one of a newer server
                    client.config_set(setting, value)
        yield server.url


def run_histories(
    url: str,
    seeds: Iterable[int],
    of: frozenset[Fault] = ENABLED,
    *,
    until_s: float = float("inf"),
    told: Callable[[Report], None] = lambda report: None,
) -> Sum:
    """Play histories until there are no more, or that time (of the monotonic clock) has come."""
    found = Sum()
    for seed in seeds:
        if time.monotonic() > until_s:
            break
        report = run_history(url, seed, of)
        found.add(report)
        told(report)
    return found


def assert_all_well(url: str, seeds: Sequence[int]) -> None:
    """Play these histories; nothing may be wrong in any."""
    histories = run_histories(url, seeds)
    assert histories.histories == len(seeds)
    assert not histories.wrong, "\n\n".join(map(str, histories.wrong))
