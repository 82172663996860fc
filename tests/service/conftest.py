from collections.abc import AsyncIterator

import pytest

from dispatcher.core.policy.policy import Policy
from dispatcher.store.store import Store
from tests.service.system import FaultySystem, open_system

DOCUMENTS_MAX_BYTES = 1_000_000


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """The store belongs to asyncio."""
    return "asyncio"


@pytest.fixture
async def store(redis_url: str) -> AsyncIterator[Store]:
    """An empty store on a real server; every script is a heartbeat of a worker."""
    store = Store(redis_url, Policy(), documents_max_bytes=DOCUMENTS_MAX_BYTES)
    store.workers.speak_as("worker", "first", lambda: 100)
    await store.rate_limiter.set_ceiling(1000.0)
    yield store
    await store.aclose()


@pytest.fixture
async def system(redis_url: str) -> AsyncIterator[FaultySystem]:
    async with open_system(redis_url) as opened:
        yield opened
