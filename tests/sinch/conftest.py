import pytest


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """The client belongs to asyncio."""
    return "asyncio"
