"""Tests that nothing is lost or sent twice when processes are killed in the middle of a batch."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from redis import Redis

from dispatcher.client import Batch
from dispatcher.local.services import PROGRAM
from dispatcher.local.supervisor import Process
from tests.local.watching import descendants, gone, until
from tests.store.fixture import KEYS
from tests.story.conftest import PATIENCE_S, StoryCluster

pytestmark = pytest.mark.story
NUMBERS = [f"+1{area}555{n:04}" for area in (202, 212, 312, 415) for n in range(100, 200)]


@pytest.fixture(scope="module")
def scenario(repository: Path) -> Path:
    """A scenario with faults of every kind."""
    return repository / "examples" / "scenarios" / "messy.toml"


def test_a_batch_survives_the_kill_of_each_process(cluster: StoryCluster) -> None:
    batch = cluster.start_batch(NUMBERS)
    for share, target in enumerate(("worker", "scheduler", "web", "redis"), start=1):
        cluster.wait(batch.id, partial(_has_done, jobs=share * len(NUMBERS) // 6))
        pid = cluster.local.server.pid if target == "redis" else cluster.local.processes[target].pid
        os.kill(pid, signal.SIGKILL)
    ended = cluster.wait(batch.id)
    comparison = cluster.compare(batch.id)
    assert (comparison.lost, comparison.doubled, comparison.wrong_state) == ((), (), ())
    # a number that another batch of this file has proved to be dead is on the do-not-fax list
    assert sum(ended.counts.values()) + ended.suppressed == len(NUMBERS)
    assert cluster.doctor() == []


def test_a_worker_service_whose_supervisor_is_killed_ends_and_the_other_continues(cluster: StoryCluster) -> None:
    """The service is not restarted. Its processes end by themselves, and the other service sends their jobs."""
    redis = Redis.from_url(cluster.local.server.url, decode_responses=True)
    before = set(redis.hkeys(KEYS.workers))
    with second_worker(cluster, processes=2) as supervisor:
        until(lambda: len(set(redis.hkeys(KEYS.workers)) - before) == 2, PATIENCE_S)
        names = set(redis.hkeys(KEYS.workers)) - before
        children = descendants(supervisor.pid)
        batch = cluster.start_batch(NUMBERS[:200])
        until(lambda: any(str(name) in str(lease) for name in names for lease in redis.hvals(KEYS.leases)), PATIENCE_S)
        os.kill(supervisor.pid, signal.SIGKILL)
        until(lambda: all(map(gone, children)), PATIENCE_S)
        ended = cluster.wait(batch.id)
    comparison = cluster.compare(batch.id)
    assert (comparison.lost, comparison.doubled, comparison.wrong_state) == ((), (), ())
    assert ended.final + ended.suppressed == 200
    assert cluster.doctor() == []


@contextmanager
def second_worker(cluster: StoryCluster, processes: int) -> Iterator[Process]:
    """Run a second worker service."""
    env = cluster.local.env | {"BULKFAX_WORKER_PROCESSES": f"{processes}"}
    service = Process("worker", [*PROGRAM, "worker"], env=env, log=cluster.local.folder / "second.log")
    service.start()
    try:
        until(lambda: len(descendants(service.pid)) >= processes, PATIENCE_S)
        yield service
    finally:
        service.stop()


def _has_done(batch: Batch, jobs: int) -> bool:
    return batch.final >= jobs
