"""Tests that a worker stops in the middle of its calls as it does in a deployment."""

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
    """A scenario with slow responses and late callbacks."""
    path = tmp_path_factory.mktemp("scenario") / "slow.toml"
    # callbacks come after the responses, so that every send that was not aborted is counted by its own result
    path.write_text('seed = 7\nlatency = [0.8, 1.2]\n[callbacks]\n"late 5" = 1.0\n')
    return path


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The times of production, so that no request times out on a busy machine."""
    path = tmp_path_factory.mktemp("policy") / "policy.toml"
    path.write_text("")
    return path


def test_it_finishes_its_calls_and_leaves_the_rest_to_others(cluster: StoryCluster) -> None:
    batch = cluster.start_batch(NUMBERS)
    cluster.wait(batch.id, lambda state: state.counts["sending"] > 5)
    worker = cluster.local.processes["worker"]
    pid = worker.pid
    os.kill(pid, signal.SIGTERM)
    until(lambda: gone(pid), PATIENCE_S)
    ended = cluster.wait(batch.id)
    assert ended.counts["delivered"] == len(NUMBERS)
    comparison = cluster.compare(batch.id)
    assert (comparison.lost, comparison.doubled, comparison.wrong_state, comparison.faxes) == ((), (), (), len(NUMBERS))
    assert (_attempts(cluster, "accepted"), _attempts(cluster, "unclear")) == (len(NUMBERS), 0), "a send was aborted"
    assert cluster.doctor() == []


def _attempts(cluster: StoryCluster, outcome: str) -> float:
    """Return the number of attempts with an outcome from the metrics."""
    match = re.search(rf'^bulkfax_attempts_total{{outcome="{outcome}"}} (\S+)$', cluster.metrics(), re.MULTILINE)
    return float(match[1]) if match else 0.0
