"""Every process is killed once in the middle of a batch, without warning; nothing is lost and nothing sent twice."""

import os
import signal
from functools import partial
from pathlib import Path

import pytest

from dispatcher.client import Batch
from tests.story.conftest import Site

pytestmark = pytest.mark.story
NUMBERS = [f"+1{area}555{n:04}" for area in (202, 212, 312, 415) for n in range(100, 200)]


@pytest.fixture(scope="module")
def scenario(repository: Path) -> Path:
    return repository / "examples" / "scenarios" / "messy.toml"


def test_a_batch_survives_the_kill_of_each_process(site: Site) -> None:
    batch = site.start_batch(NUMBERS)
    for share, victim in enumerate(("worker", "scheduler", "web", "redis"), start=1):
        site.wait(batch.id, partial(_has_done, jobs=share * len(NUMBERS) // 6))
        pid = site.local.server.pid if victim == "redis" else site.local.processes[victim].pid
        os.kill(pid, signal.SIGKILL)
    ended = site.wait(batch.id)
    found = site.compare(batch.id)
    assert (found.lost, found.doubled, found.wrong_state) == ((), (), ())
    assert sum(ended.counts.values()) == len(NUMBERS)
    assert site.doctor() == []


def _has_done(batch: Batch, jobs: int) -> bool:
    return batch.final >= jobs
