"""``bulkfax send`` asks before it sends, and the same command twice sends once."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dispatcher.local.cluster import LocalCluster
from tests.cli.conftest import Bulkfax, Ran


@pytest.fixture
def letter(repository: Path) -> Path:
    return repository / "examples" / "letter.pdf"


@pytest.fixture
def twice(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The list of a single recipient, with a number of its own for each test."""
    names = sorted(name for name in globals() if name.startswith("test_"))
    path = tmp_path / "E6-twice.csv"
    path.write_text(f"Fax\n+120255501{90 - names.index(request.function.__name__)}\n")
    return path


def answer(ran: Ran) -> dict[str, Any]:
    assert ran.status == 0, ran.err
    body: dict[str, Any] = json.loads(ran.last_line)
    return body


def sent(cluster: LocalCluster, twice: Path) -> int:
    number = twice.read_text().split()[1]
    return sum(fax.to == number for fax in cluster.emulator_api.ledger())


def test_the_same_command_twice_dials_once_and_says_so(
    connected: Bulkfax, cluster: LocalCluster, letter: Path, twice: Path
) -> None:
    first = answer(connected("send", letter, twice, "--watch", "--json"))
    again = connected("send", letter, twice, "--watch", "--json")
    assert answer(again)["id"] == first["id"]
    assert f"nothing was sent: the same command has started batch {first['id']}" in again.err
    assert sent(cluster, twice) == 1
    # on purpose it is sent again
    assert answer(connected("send", letter, twice, "--allow-repeat", "--watch", "--json"))["id"] != first["id"]
    assert sent(cluster, twice) == 2


def test_another_command_with_the_same_letter_and_list_is_refused(
    connected: Bulkfax, cluster: LocalCluster, letter: Path, twice: Path
) -> None:
    first = answer(connected("send", letter, twice, "--watch", "--json"))
    ran = connected("send", letter, twice, "--name", "another")
    assert ran.status == 1
    said = " ".join(ran.err.split())
    assert f"batch {first['id']} was started lately with the same content, to 1 of the same recipients" in said
    assert "nothing was sent" in ran.err
    assert sent(cluster, twice) == 1


def test_nobody_is_asked_about_a_mailing_that_would_be_refused(
    connected: Bulkfax, cluster: LocalCluster, letter: Path, twice: Path
) -> None:
    first = answer(connected("send", letter, twice, "--watch", "--json"))
    ran, asked = on_terminal("y", letter, twice, "--name", "another")
    assert (ran.returncode, asked) == (1, False), ran.stderr
    assert re.search(rf"a repeat +batch {first['id']} was started lately", ran.stderr)
    assert "repeat the command with --allow-repeat" in ran.stderr
    assert "nothing was sent" in ran.stderr
    ran, asked = on_terminal("y", letter, twice, "--name", "another", "--allow-repeat", "--watch")
    assert (ran.returncode, asked) == (0, True), ran.stderr
    assert sent(cluster, twice) == 2


def on_terminal(typed: str, *arguments: str | Path) -> tuple[subprocess.CompletedProcess[str], bool]:
    """Run ``send`` on a terminal where something is typed. Returns whether it asked, too."""
    ours, terminal = os.openpty()
    os.write(ours, f"{typed}\n".encode())
    command = [sys.executable, "-m", "dispatcher.cli", "send", *map(str, arguments)]
    ran = subprocess.run(command, stdin=terminal, capture_output=True, text=True, timeout=60, check=False)
    os.close(ours)
    os.close(terminal)
    return ran, "Send? [y/N]" in ran.stderr


def test_a_prepared_draft_is_found_and_started_by_the_same_command(
    connected: Bulkfax, letter: Path, twice: Path
) -> None:
    draft = answer(connected("send", letter, twice, "--draft", "--json"))
    assert draft["state"] == "draft"
    assert answer(connected("send", letter, twice, "--draft", "--json"))["id"] == draft["id"]
    assert answer(connected("send", letter, twice, "--watch", "--json"))["id"] == draft["id"]


def test_a_cancelled_draft_is_not_found_again(connected: Bulkfax, letter: Path, twice: Path) -> None:
    draft = answer(connected("send", letter, twice, "--draft", "--json"))["id"]
    answer(connected("batches", "cancel", draft, "--yes", "--json"))
    assert answer(connected("send", letter, twice, "--json"))["id"] != draft


def test_without_a_terminal_nobody_is_asked_and_the_forecast_is_shown(
    connected: Bulkfax, letter: Path, twice: Path
) -> None:
    ran = connected("send", letter, twice)
    assert ran.status == 0
    assert re.search(r"recipients +1: US 1", ran.err)
    assert re.search(r"last fax +\d{4}-", ran.err)


@pytest.mark.parametrize(
    ("typed", "options", "state"), [("n", [], "cancelled"), ("y", [], "running"), ("", ["--yes"], "")]
)
def test_on_a_terminal_send_asks_first(
    connected: Bulkfax, letter: Path, twice: Path, typed: str, options: list[str], state: str
) -> None:
    # each case has a mailing of its own
    options += ["--name", f"{typed} {options}", "--json", "--allow-repeat"]
    ran, asked = on_terminal(typed, letter, twice, *options)
    assert asked is bool(typed), ran.stderr
    if typed == "n":
        assert (ran.returncode, ran.stdout.strip()) == (1, "")
        assert "was cancelled; nothing was sent" in ran.stderr
    else:
        assert ran.returncode == 0, ran.stderr
        assert json.loads(ran.stdout)["state"] in ("running", "finished")
    assert state is not None
