"""Reruns, cancellations of jobs and partial starts on the command line: each says how many jobs it is about."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Bulkfax, Ran


def answer(ran: Ran) -> Any:
    assert ran.status == 0, ran.err
    return json.loads(ran.last_line)


@pytest.fixture
def recipients(tmp_path: Path) -> Path:
    """A list of four recipients."""
    path = tmp_path / "list.csv"
    path.write_text("\n".join(["fax,reference", *(f"+1202555012{n},A{n}" for n in range(4)), ""]))
    return path


@pytest.fixture
def letter(repository: Path) -> Path:
    return repository / "examples" / "letter.pdf"


def test_a_part_then_the_rest_then_some_of_them_again(connected: Bulkfax, letter: Path, recipients: Path) -> None:
    sent = connected("send", letter, recipients, "--first", "1", "--allow-repeat", "--watch")
    batch = sent.err.split("batch ")[1].split()[0]
    assert "3 jobs wait for: bulkfax batches continue" in sent.err
    assert answer(connected("batches", "show", batch, "--json"))["limited_by"] == "partial_start"
    cancelled = connected("batches", "cancel", batch, "--reference", "A3", "--reason", "wrong list", "--yes")
    assert "1 job: cancelled" in cancelled.err
    assert "0 jobs: would be cancelled" in connected("jobs", "cancel", f"{batch}.3", "--preview").err
    continued = connected("batches", "continue", batch)
    assert "2 jobs can begin now" in continued.err
    connected("batches", "watch", batch)
    states = ("--state", "delivered", "--state", "cancelled", "--include-delivered")
    preview = connected("batches", "rerun", batch, *states, "--preview", "--attempts", "1-")
    assert "would send  3" in preview.out
    rerun = answer(
        connected("batches", "rerun", batch, *states, "--reason", "once more", "--sender", "+12025550100", "--json")
    )
    assert (rerun["rows"], rerun["reason"], rerun["options"]) == (4, "once more", {"from": "+12025550100"})
    assert answer(connected("batches", "show", batch, "--json"))["reruns"] == [rerun["id"]]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("batches", "rerun", "b"), "say why they are sent again"),
        (("batches", "rerun", "b", "--category", "bussy", "--preview"), "did you mean busy?"),
        (("batches", "rerun", "b", "--error-type", "FAX_EROR", "--preview"), "did you mean FAX_ERROR?"),
        (("batches", "rerun", "b", "--state", "waiting", "--preview"), "use one of cancelled"),
        (("batches", "rerun", "b", "--attempts", "x", "--preview"), "write it as 3, 3-5 or 3-"),
        (("batches", "cancel", "b", "--category", "busy", "--yes"), "say why these jobs are cancelled"),
        (("batches", "start", "b", "--first", "1", "--percent", "1"), "not both"),
        (("jobs", "cancel", "b", "--reason", "r"), "is no id of a job"),
        (("holds", "release"), "name a scope, or holds by"),
        (("holds", "release", "account", "--all"), "name a scope, or holds by"),
        (("holds", "release", "--category", "auht"), "did you mean auth?"),
    ],
)
def test_what_is_typed_wrong_is_named_before_anything_is_asked(
    bulkfax: Bulkfax, words: tuple[str, ...], says: str
) -> None:
    ran = bulkfax(*words)
    assert ran.status == 2
    assert says in ran.err


def test_holds_are_counted_before_they_are_released(connected: Bulkfax) -> None:
    assert "0 holds would be released" in connected("holds", "release", "--all", "--dry-run").err
    assert "0 holds released" in connected("holds", "release", "--category", "funds").err
