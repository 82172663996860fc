"""Measures API queries about a finished million-row batch. Compared with the raw reads from Redis."""

import time
from collections.abc import Callable
from functools import partial

import httpx

from benchmarks.drive import DELIVERED, CallOutcome
from benchmarks.figures import Figure, Goal, medians
from benchmarks.million import LargeBatches, large_batches
from benchmarks.recipients import bad_rows, write_csv
from benchmarks.setting import Setting
from dispatcher.client import Client
from dispatcher.store.keys import BLOCK, Keys

ROWS = 1_000_000
MAX_MS = 300
_NO_ANSWER, _OUT_OF_SERVICE = (
    CallOutcome(error_type="CALL_ERROR", error_code=16),
    CallOutcome(error_type="CALL_ERROR", error_code=34),
)
_TIMEOUT_S = 60.0

KEYS = Keys()


class Queries:
    """The queries about a batch. Each method returns when the whole response has been read."""

    def __init__(self, batches: LargeBatches, client: Client, batch: str) -> None:
        self._batches = batches
        self._client = client
        self._batch = batch
        self._blocks = -(-client.batch(batch).rows // BLOCK)

    def counts(self) -> None:
        """Read the number of jobs in each state and category."""
        self._client.batch(self._batch)

    def failed(self) -> None:
        """Read a page of failed jobs of a common category."""
        page = self._client.jobs_page(self._batch, state="failed", category="bad_number", limit=100)
        assert page.jobs, "no job failed"

    def rare(self) -> None:
        """Find the only job of its category, at the end of the batch, over as many pages as needed."""
        (job,) = self._client.jobs(self._batch, state="failed", category="no_answer")
        assert job.category == "no_answer"

    def report(self) -> None:
        """Read the first 1,000 rows of the report."""
        url, auth = (
            f"{self._batches.cluster.url}/v1/batches/{self._batch}/report",
            {"Authorization": f"Bearer {self._batches.cluster.api_key}"},
        )
        lines = 0
        with httpx.stream("GET", url, headers=auth, timeout=_TIMEOUT_S) as response:
            for chunk in response.iter_raw():
                lines += chunk.count(b"\n")
                if lines > BLOCK:
                    return

    def read_block(self) -> None:
        """Read everything that Redis stores about 1,000 rows."""
        names = [KEYS.of_block(self._batch, name, 0) for name in ("block", "records")]
        self._batches.redis.mget(names)

    def read_records(self) -> None:
        """Read all records of the batch from Redis."""
        for block in range(self._blocks):
            self._batches.redis.get(KEYS.of_block(self._batch, "records", block))

    def read_counts(self) -> None:
        """Read the counts of the batch from Redis."""
        self._batches.redis.hgetall(KEYS.of_batch(self._batch, "counts"))


#: by name: the query, the raw read that it is compared with, and a description of that read
_QUERIES: dict[str, tuple[Callable[[Queries], None], Callable[[Queries], None], str]] = {
    "counts": (Queries.counts, Queries.read_counts, "reading the counts"),
    "failed jobs of a common category": (Queries.failed, Queries.read_block, "reading one block"),
    "failed jobs of a rare category": (Queries.rare, Queries.read_records, "reading all records"),
    "report of 1,000 rows": (Queries.report, Queries.read_block, "reading one block"),
}


def measure(setting: Setting) -> list[Figure]:
    """Run the benchmark and return its figures."""
    count = setting.size(ROWS, minimum=3000)
    path = setting.folder / "query.csv"
    setting.say(f"  writing {count:,} rows")
    write_csv(path, count)
    last = count - bad_rows(count) - 1

    def outcome_rule(row: int, attempt: int) -> CallOutcome:
        if row == last:
            return _NO_ANSWER
        return _OUT_OF_SERVICE if row % 20 == 0 else DELIVERED

    with large_batches(setting, "query") as batches, batches.cluster.client() as client:
        batch = batches.start("query", path)
        batches.finish(batch, outcome_rule)
        queries = Queries(batches, client, batch)
        runs = [_run_all(queries) for _ in range(max(5, setting.runs))]
    return [_figure(name, medians(runs)) for name in _QUERIES]


def _run_all(queries: Queries) -> dict[str, float]:
    times = {}
    for name, (query, read, _) in _QUERIES.items():
        times[name] = _duration_ms(partial(query, queries))
        times[f"{name} bare"] = _duration_ms(partial(read, queries))
    return times


def _duration_ms(work: Callable[[], None]) -> float:
    began_s = time.perf_counter()
    work()
    return (time.perf_counter() - began_s) * 1000


def _figure(name: str, middle: dict[str, float]) -> Figure:
    value, bare = middle[name], middle[f"{name} bare"]
    return Figure(
        bench="query",
        figure=name,
        value=value,
        unit="ms",
        against=f"{_QUERIES[name][2]}: {bare:.2f} ms",
        ratio=value / bare,
        goal=Goal(max_value=MAX_MS),
    )
