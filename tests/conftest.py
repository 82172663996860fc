"""What tests of every package share: a real Redis server, and settings for generated tests."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from hypothesis import settings

from dispatcher.local.errors import ServerNotStarted
from dispatcher.local.redis_server import EmbeddedServer

# A pattern that is compiled for the first time, or a busy machine, is no reason to fail; CI repeats what it saw.
settings.register_profile("desk", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "desk")


#: files that take longest, longest first. One that begins last keeps one process busy while the others are idle.
LONGEST_FILES = (
    "benchmarks/test_command.py",
    "simulation/test_liveness_more.py",
    "simulation/test_liveness.py",
    "grafana/test_alerting.py",
    "story/test_points.py",
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
    """URL of a real server for this test process: the given one, or one of our own on a free port.

    Without a server tests that need one are skipped at a desk and fail in CI.
    """
    given = os.environ.get("BULKFAX_TEST_REDIS_URL")
    if given:
        yield _own_database(given, worker_id)
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


def _own_database(url: str, worker_id: str) -> str:
    """Give each test process a database of the given server: two that flush one would disturb each other."""
    number = int(worker_id.removeprefix("gw")) if worker_id != "master" else 0
    return f"{url.rsplit('/', 1)[0] if url.count('/') > 2 else url}/{number}"


@pytest.fixture
def redis_url(redis_server: str) -> str:
    """URL of an empty database on the server of this test process."""
    with redis.Redis.from_url(redis_server) as client:
        client.flushdb()
    return redis_server


@pytest.fixture(scope="session")
def repository() -> Path:
    """The top folder of the repository."""
    return Path(__file__).parent.parent
