"""Fixtures: message queues on a real Redis server."""

from collections.abc import Iterator

import pytest

from dispatcher.store.queues import Queues


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def queues(redis_url: str) -> Iterator[Queues]:
    queues = Queues(redis_url)
    yield queues
    queues.close()
