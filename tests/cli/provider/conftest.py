"""The command, pointed at an emulator that each test has for itself in what it makes there."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from dispatcher.emulator import EmulatorConfig, running
from tests.cli.conftest import Bulkfax
from tests.emulator.caller import Caller

Answer = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def emulator() -> Iterator[Caller]:
    """A quick emulator that all tests of a module share."""
    with running(EmulatorConfig(speed=1000)) as where, Caller(where) as caller:
        yield caller


@pytest.fixture
def provider(bulkfax: Bulkfax, emulator: Caller, monkeypatch: pytest.MonkeyPatch) -> Bulkfax:
    """``bulkfax provider``, with the emulator's account."""
    account = {
        "PROJECT_ID": emulator.config.project_id,
        "KEY_ID": emulator.config.key_id,
        "KEY_SECRET": emulator.config.key_secret,
        "BASE_URL": emulator.where.url,
        "AUTH_URL": f"{emulator.where.url}/oauth2/token",
    }
    for name, value in account.items():
        monkeypatch.setenv(f"BULKFAX_SINCH__{name}", value)
    monkeypatch.delenv("BULKFAX_PUBLIC_URL", raising=False)
    return lambda *words: bulkfax("provider", *words)


@pytest.fixture
def answer(provider: Bulkfax) -> Answer:
    """What a command that goes well prints with ``--json``."""

    def answer(*words: object) -> dict[str, Any]:
        ran = provider(*words, "--json")
        assert ran.status == 0, ran.err
        found: dict[str, Any] = json.loads(ran.last_line)
        return found

    return answer
