from collections.abc import Iterator

import pytest

from dispatcher.emulator import EmulatorConfig, running
from dispatcher.sinch import redaction
from tests.emulator.emulator_client import EmulatorClient
from tests.emulator.receiver import CallbackServer, running_receiver


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Run async tests on asyncio only."""
    return "asyncio"


@pytest.fixture(autouse=True)
def no_secrets_of_other_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some of their tokens are ordinary texts."""
    monkeypatch.setattr(redaction, "_secrets", redaction._Secrets())


@pytest.fixture(scope="module")
def emulator() -> Iterator[EmulatorClient]:
    """A client of a fast emulator that all tests of a module share, with the empty scenario."""
    with running(EmulatorConfig(speed=1000)) as server, EmulatorClient(server) as client:
        yield client


@pytest.fixture
def receiver() -> Iterator[CallbackServer]:
    """A running receiver of callbacks."""
    with running_receiver() as receiver:
        yield receiver
