"""Fixtures: ``bulkfax provider`` with the account of an emulator."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from dispatcher.emulator import EmulatorConfig, running
from tests.cli.conftest import Bulkfax
from tests.emulator.emulator_client import EmulatorClient

RunJson = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def emulator() -> Iterator[EmulatorClient]:
    """A client of a fast emulator that all tests of a module share."""
    with running(EmulatorConfig(speed=1000)) as server, EmulatorClient(server) as client:
        yield client


@pytest.fixture
def provider(bulkfax: Bulkfax, emulator: EmulatorClient, monkeypatch: pytest.MonkeyPatch) -> Bulkfax:
    """``bulkfax provider`` with the emulator's account."""
    account = {
        "PROJECT_ID": emulator.config.project_id,
        "KEY_ID": emulator.config.key_id,
        "KEY_SECRET": emulator.config.key_secret,
        "BASE_URL": emulator.server.url,
        "AUTH_URL": f"{emulator.server.url}/oauth2/token",
    }
    for name, value in account.items():
        monkeypatch.setenv(f"BULKFAX_SINCH__{name}", value)
    monkeypatch.delenv("BULKFAX_PUBLIC_URL", raising=False)
    return lambda *words: bulkfax("provider", *words)


@pytest.fixture
def run_json(provider: Bulkfax) -> RunJson:
    """Run a command with ``--json``, assert that it succeeds, and return its output."""

    def run_json(*words: object) -> dict[str, Any]:
        ran = provider(*words, "--json")
        assert ran.status == 0, ran.err
        printed: dict[str, Any] = json.loads(ran.last_line)
        return printed

    return run_json
