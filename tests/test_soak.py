"""The short form of ``./run soak``."""

import pytest

from tests.soak import GROWTH, growth, soak

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """The store belongs to asyncio."""
    return "asyncio"


async def test_redis_does_not_grow_while_batches_come_and_go(redis_url: str) -> None:
    measured = await soak(redis_url, 48, 20)
    assert growth(measured) <= GROWTH
    assert measured[-1].keys <= measured[len(measured) // 4 - 1].keys + 20
