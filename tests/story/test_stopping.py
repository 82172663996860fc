"""A worker is asked to stop in the middle of its calls, as at every deployment."""

import os
import re
import signal
from pathlib import Path

import pytest

from tests.local.watching import gone, until
from tests.story.conftest import PATIENCE_S, StoryCluster

pytestmark = pytest.mark.story
NUMBERS = [f"+1202555{n:04}" for n in range(100, 200)]


@pytest.fixture(scope="module")
def scenario(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("scenario") / "slow.toml"
    # news comes after the answers, so that every call that was not broken off has its own end counted
    path.write_text('seed = 7\nlatency = [0.8, 1.2]\n[callbacks]\n"late 5" = 1.0\n')
    return path


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The times of production: no call is given up, however busy the machine is."""
    path = tmp_path_factory.mktemp("policy") / "policy.toml"
    path.write_text("")
    return path


def test_it_finishes_its_calls_and_leaves_the_rest_to_others(cluster: StoryCluster) -> None:
    batch = cluster.start_batch(NUMBERS)
    cluster.wait(batch.id, lambda seen: seen.counts["sending"] > 5)
    worker = cluster.local.processes["worker"]
    pid = worker.pid
    os.kill(pid, signal.SIGTERM)
    until(lambda: gone(pid), PATIENCE_S)
    ended = cluster.wait(batch.id)
    assert ended.counts["delivered"] == len(NUMBERS)
    found = cluster.compare(batch.id)
    assert (found.lost, found.doubled, found.wrong_state, found.faxes) == ((), (), (), len(NUMBERS))
    assert (_ends(cluster, "accepted"), _ends(cluster, "unclear")) == (len(NUMBERS), 0), "no call was broken off"
    assert cluster.doctor() == []


def _ends(cluster: StoryCluster, outcome: str) -> float:
    """Calls that ended so, by the worker's own count."""
    found = re.search(rf'^bulkfax_attempts_total{{outcome="{outcome}"}} (\S+)$', cluster.metrics(), re.MULTILINE)
    return float(found[1]) if found else 0.0
