from collections.abc import AsyncIterator

import pytest

from tests.store.fixture import StoreFixture, open_store


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """The store belongs to asyncio."""
    return "asyncio"


@pytest.fixture
async def db(redis_url: str) -> AsyncIterator[StoreFixture]:
    """An empty store whose scripts go by a clock that the test sets."""
    async with open_store(redis_url) as db:
        yield db
