"""Fixtures of all packages: a real Redis server, and the settings of property-based tests."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from hypothesis import settings

from dispatcher.local.errors import ServerNotStarted
from dispatcher.local.redis_server import EmbeddedServer

# No deadline: the first call compiles patterns, and machines may be busy. In CI the generated values are repeatable.
settings.register_profile("desk", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "desk")


#: the files that take longest, longest first. A long file that starts last keeps one process busy while others are idle
LONGEST_FILES = (
    "benchmarks/test_command.py",
    "simulation/test_liveness_more.py",
    "simulation/test_liveness.py",
    "grafana/test_alerting.py",
    "story/test_failpoints.py",
    "story/test_chaos.py",
    "service/test_cycles.py",
    "story/test_kills.py",
    "service/test_odd_answers.py",
    "story/test_options.py",
    "grafana/test_sums.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the longest files first, then the stories, then everything else."""
    tests = Path(__file__).parent
    ranks = {tests / name: rank for rank, name in enumerate(LONGEST_FILES)}
    items.sort(key=lambda item: (ranks.get(item.path, len(ranks)), item.get_closest_marker("story") is None))


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[str]:
    """URL of a Redis server for this test process: that of ``BULKFAX_TEST_REDIS_URL``, or a new one on a free port.

    If the server cannot be started, tests that need it are skipped, or fail in CI.
    """
    url = os.environ.get("BULKFAX_TEST_REDIS_URL")
    if url:
        yield _database_url(url, worker_id)
        return
    server = EmbeddedServer(tmp_path_factory.mktemp("redis"))
    try:
        server.start()
    except ServerNotStarted as error:
        if os.environ.get("CI"):
            pytest.fail(str(error))
        pytest.skip(str(error))
    with server:
        yield server.url


def _database_url(url: str, worker_id: str) -> str:
    """Return the URL of a separate database for each test process, because tests flush their database."""
    number = int(worker_id.removeprefix("gw")) if worker_id != "master" else 0
    return f"{url.rsplit('/', 1)[0] if url.count('/') > 2 else url}/{number}"


@pytest.fixture
def redis_url(redis_server: str) -> str:
    """URL of an empty database."""
    with redis.Redis.from_url(redis_server) as client:
        client.flushdb()
    return redis_server


@pytest.fixture(scope="session")
def repository() -> Path:
    """The top folder of the repository."""
    return Path(__file__).parent.parent
