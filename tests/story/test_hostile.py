"""A mailing while every second answer and callback of the provider is hostile, with real processes."""

import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.story.conftest import PATIENCE_S, StoryCluster

pytestmark = pytest.mark.story

FINAL = ("delivered", "failed")
NUMBERS = [f"+1202555{number:04}" for number in range(100, 140)]


@pytest.fixture(scope="module")
def scenario(repository: Path) -> Path:
    return repository / "examples" / "scenarios" / "all-well.toml"


def attend(cluster: StoryCluster) -> None:
    """Do what an operator does: end the waits that the provider asked for, and the holds that its errors opened."""
    for hold in cluster.client.account().holds:
        if not hold.scope.startswith("job:"):
            cluster.client.release_hold(hold.scope)
    cluster.client.unblock()


def attend_until(cluster: StoryCluster, condition: Callable[[], bool], within_s: float) -> bool:
    end_s = time.monotonic() + within_s
    while not (met := condition()) and time.monotonic() < end_s:
        attend(cluster)
        time.sleep(0.2)
    return met


def everything_readable(cluster: StoryCluster, batch: str, folder: Path) -> str:
    """Read every page and list that shows the batch and its jobs, and return what they and the metrics say."""
    client = cluster.client
    assert [shown.id for shown in client.batches()] == [batch]
    client.report(batch, folder / "report.csv")
    stories = [client.job(job.id) for job in client.jobs(batch)]
    assert len(stories) == len(NUMBERS)
    said = [entry.why or "" for story in stories for entry in story.history]
    return "\n".join([*said, *(story.explanation for story in stories), cluster.metrics(), repr(client.account())])


def undecided(cluster: StoryCluster, batch: str) -> list[str]:
    """Return the jobs that are not final, and do not wait for a person either because nobody can tell their end."""
    live = [cluster.client.job(job.id) for job in cluster.client.jobs(batch) if job.state not in FINAL]
    return [f"{job.id} {job.state}: {job.explanation}" for job in live if "releases" not in job.explanation]


def logs(cluster: StoryCluster) -> str:
    paths = [cluster.local.folder / f"{name}.log" for name in ("web", "worker", "scheduler")]
    return "\n".join(path.read_text(errors="replace") for path in paths)


def test_a_hostile_provider_stops_loses_doubles_and_leaks_nothing(cluster: StoryCluster, tmp_path: Path) -> None:
    api = cluster.local.emulator_api
    api.play("seed = 14\nhostile = 0.6")
    batch = cluster.start_batch(NUMBERS).id

    def had_its_chance() -> bool:
        """Whether much was hostile, and others went on."""
        hostile = sum(count for kind, count in api.stats()["faults"].items() if kind.startswith("hostile"))
        return hostile > 20 and cluster.client.batch(batch).counts["delivered"] > len(NUMBERS) / 4

    assert attend_until(cluster, had_its_chance, PATIENCE_S), (api.stats(), cluster.client.batch(batch))
    during = everything_readable(cluster, batch, tmp_path)
    api.play("")
    assert attend_until(cluster, lambda: not undecided(cluster, batch), PATIENCE_S), undecided(cluster, batch)
    comparison = cluster.compare(batch)
    assert (comparison.lost, comparison.doubled, comparison.wrong_state, comparison.strays) == ((), (), (), ())
    assert cluster.doctor() == []

    said = during + everything_readable(cluster, batch, tmp_path)
    # a refused send keeps what the provider said, which was an echo of our token
    assert "[hidden]" in said or not cluster.client.batch(batch).counts["failed"]
    for text in (said, logs(cluster)):
        assert cluster.local.env["BULKFAX_SINCH__KEY_SECRET"] not in text
        # the beginning of every token, and of a pair of credentials
        assert not re.search(r"eyJ\w|[Bb]asic \w+=", text)
        assert not re.search(r"2025550\d{3}", text)
        # signatures have 43 characters
        assert not re.search(r"callbacks/sinch/[\w.]+/\d+/[\w-]{43}", text)
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]", text)
    assert "Traceback" not in logs(cluster)
    assert len(logs(cluster)) < 500_000
