"""Ctrl-C says what goes on and how to stop it."""

from pathlib import Path

import pytest

from dispatcher.client import Client
from tests.cli.conftest import Bulkfax


def interrupt(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


@pytest.fixture
def letter(repository: Path) -> Path:
    return repository / "examples" / "letter.pdf"


@pytest.fixture
def recipients(tmp_path: Path) -> Path:
    path = tmp_path / "list.csv"
    path.write_text("fax\n+12025550177\n+12025550178\n")
    return path


def test_while_it_watches(connected: Bulkfax, monkeypatch: pytest.MonkeyPatch, letter: Path, recipients: Path) -> None:
    monkeypatch.setattr("dispatcher.cli.watch._lines", interrupt)
    ran = connected("send", letter, recipients, "--allow-repeat", "--watch")
    batch = ran.err.partition("batch ")[2].split()[0]
    assert ran.status == 130
    assert "The batch goes on." in ran.err
    assert f"bulkfax batches watch {batch}\n" in ran.err
    assert f"bulkfax batches pause {batch}" in ran.err


def test_during_the_upload(connected: Bulkfax, monkeypatch: pytest.MonkeyPatch, letter: Path, recipients: Path) -> None:
    monkeypatch.setattr(Client, "upload_recipients", interrupt)
    ran = connected("send", letter, recipients, "--allow-repeat")
    assert ran.status == 130
    batch = ran.err.partition("batch ")[2].split()[0]
    assert f"bulkfax batches cancel {batch}" in ran.err
    monkeypatch.undo()


def test_while_the_status_is_shown(connected: Bulkfax) -> None:
    ran = connected("status")
    assert ran.status == 0
    assert "scheduler" in ran.out
