"""Running emulators and a webhook receiver for the tests of this folder."""

from collections.abc import Iterator

import pytest

from dispatcher.emulator import EmulatorConfig, running
from tests.emulator.caller import Caller
from tests.emulator.receiver import Receiver, receiving


@pytest.fixture(scope="module")
def emulator() -> Iterator[Caller]:
    """A quick emulator that all tests of a module share."""
    with running(EmulatorConfig(speed=1000)) as where, Caller(where) as caller:
        yield caller


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


@pytest.fixture
def well(emulator: Caller) -> Iterator[Caller]:
    """The shared emulator, which goes back to the scenario where all goes well afterwards."""
    yield emulator
    emulator.scenario("")
