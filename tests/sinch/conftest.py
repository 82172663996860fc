from collections.abc import Iterator

import pytest

from dispatcher.emulator import EmulatorConfig, running
from tests.emulator.caller import Caller
from tests.emulator.receiver import Receiver, receiving


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """The client belongs to asyncio."""
    return "asyncio"


@pytest.fixture(scope="module")
def emulator() -> Iterator[Caller]:
    """A quick emulator that all tests of a module share, in the scenario where all goes well."""
    with running(EmulatorConfig(speed=1000)) as where, Caller(where) as caller:
        yield caller


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found
