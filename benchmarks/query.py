"""Questions about a finished million-row batch, as people ask them over HTTP. Against the raw reads from Redis."""

import time
from collections.abc import Callable
from functools import partial

import httpx

from benchmarks.drive import DELIVERED, End
from benchmarks.figures import Figure, Goal, medians
from benchmarks.million import Million, million
from benchmarks.recipients import bad_rows, write_csv
from benchmarks.setting import Setting
from dispatcher.client import Client
from dispatcher.store.keys import BLOCK, Keys

ROWS = 1_000_000
MOST_MS = 300
_NO_ANSWER, _OUT_OF_SERVICE = End(error_type="CALL_ERROR", error_code=16), End(error_type="CALL_ERROR", error_code=34)
_TIMEOUT_S = 60.0

KEYS = Keys()


class Questions:
    """What is asked of one batch; each question returns when its whole answer is here."""

    def __init__(self, there: Million, client: Client, batch: str) -> None:
        self._there = there
        self._client = client
        self._batch = batch
        self._blocks = -(-client.batch(batch).rows // BLOCK)

    def counts(self) -> None:
        """How many jobs are in each state and category."""
        self._client.batch(self._batch)

    def failed(self) -> None:
        """A page of jobs that failed for a category that is common."""
        page = self._client.jobs_page(self._batch, state="failed", category="bad_number", limit=100)
        assert page.jobs, "no job failed"

    def rare(self) -> None:
        """The one job of its category, at the end of the batch, however many pages it takes."""
        (job,) = self._client.jobs(self._batch, state="failed", category="no_answer")
        assert job.category == "no_answer"

    def report(self) -> None:
        """The first 1,000 rows of the report."""
        url, auth = (
            f"{self._there.cluster.url}/v1/batches/{self._batch}/report",
            {"Authorization": f"Bearer {self._there.cluster.api_key}"},
        )
        lines = 0
        with httpx.stream("GET", url, headers=auth, timeout=_TIMEOUT_S) as answer:
            for piece in answer.iter_raw():
                lines += piece.count(b"\n")
                if lines > BLOCK:
                    return

    def read_block(self) -> None:
        """All that Redis has of 1,000 rows."""
        names = [KEYS.block_part(self._batch, name, 0) for name in ("block", "records")]
        self._there.redis.mget(names)

    def read_records(self) -> None:
        """All records of the batch."""
        for block in range(self._blocks):
            self._there.redis.get(KEYS.block_part(self._batch, "records", block))

    def read_counts(self) -> None:
        self._there.redis.hgetall(KEYS.part(self._batch, "counts"))


#: question, the bare read that it stands against, in words
_ASKED: dict[str, tuple[Callable[[Questions], None], Callable[[Questions], None], str]] = {
    "counts": (Questions.counts, Questions.read_counts, "reading the counts"),
    "failed jobs of a common category": (Questions.failed, Questions.read_block, "reading one block"),
    "failed jobs of a rare category": (Questions.rare, Questions.read_records, "reading all records"),
    "report of 1,000 rows": (Questions.report, Questions.read_block, "reading one block"),
}


def measure(setting: Setting) -> list[Figure]:
    count = setting.size(ROWS, least=3000)
    path = setting.folder / "query.csv"
    setting.say(f"  writing {count:,} rows")
    write_csv(path, count)
    last = count - bad_rows(count) - 1

    def fate(row: int, attempt: int) -> End:
        if row == last:
            return _NO_ANSWER
        return _OUT_OF_SERVICE if row % 20 == 0 else DELIVERED

    with million(setting, "query") as there, there.cluster.client() as client:
        batch = there.started("query", path)
        there.finish(batch, fate)
        questions = Questions(there, client, batch)
        runs = [_ask_all(questions) for _ in range(max(5, setting.runs))]
    return [_figure(name, medians(runs)) for name in _ASKED]


def _ask_all(questions: Questions) -> dict[str, float]:
    times = {}
    for name, (ask, read, _) in _ASKED.items():
        times[name] = _ms(partial(ask, questions))
        times[f"{name} bare"] = _ms(partial(read, questions))
    return times


def _ms(work: Callable[[], None]) -> float:
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
        against=f"{_ASKED[name][2]}: {bare:.2f} ms",
        ratio=value / bare,
        goal=Goal(most=MOST_MS),
    )
