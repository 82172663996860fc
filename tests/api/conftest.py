from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from dispatcher.emulator.config import EmulatorConfig
from dispatcher.emulator.server import RunningEmulator, running
from dispatcher.runtime import Runtime, open_runtime
from dispatcher.settings import Settings
from tests.api.clients import account_of, client_of

DOCUMENTS_MAX_BYTES = 20_000_000


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """The API belongs to asyncio."""
    return "asyncio"


@pytest.fixture(scope="session")
def emulator() -> Iterator[RunningEmulator]:
    """The provider, for the check of credentials before a start."""
    with running(EmulatorConfig()) as emulator:
        yield emulator


@pytest.fixture
def settings(redis_url: str, emulator: RunningEmulator) -> Settings:
    """Settings of an API without keys, for this machine only."""
    return Settings(
        redis_url=redis_url,
        documents_max_bytes=DOCUMENTS_MAX_BYTES,
        sinch=account_of(emulator),
    )


@pytest.fixture
async def runtime(settings: Settings) -> AsyncIterator[Runtime]:
    """Everything that the API is put together from, on a real Redis server."""
    async with open_runtime(settings) as runtime:
        yield runtime


@pytest.fixture
async def api(runtime: Runtime) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the API, without a network between them."""
    async with client_of(runtime) as client:
        yield client
