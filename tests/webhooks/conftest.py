import pytest


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """The sender belongs to asyncio."""
    return "asyncio"
