"""Queues on a real server, and processes that the tests of the supervisor start."""

from collections.abc import Iterator

import pytest

from dispatcher.store.queues import Queues


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def queues(redis_url: str) -> Iterator[Queues]:
    opened = Queues(redis_url)
    yield opened
    opened.close()
