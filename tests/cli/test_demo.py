"""The demo, whole but short: everything started, sent, compared with the provider's ledger, and stopped."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from dispatcher.cli.demo_result import DemoResult
from dispatcher.client import Batch
from dispatcher.local.ledger import Comparison
from tests.local.watching import descendants, gone, until

KEYS = [
    "rows",
    "accepted",
    "refused",
    "delivered",
    "delivered_unconfirmed",
    "failed",
    "cancelled",
    "expired",
    "by_category",
    "faxes_at_provider",
    "doubled",
    "lost",
    "seconds",
]
FINALS = KEYS[3:8]


def start(folder: Path, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "dispatcher.cli", "demo", *arguments],
        cwd=folder,
        env={**os.environ, "TMPDIR": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.story
def test_a_short_demo_accounts_for_every_row(tmp_path: Path) -> None:
    with start(tmp_path, "--recipients", "60", "--json") as demo:
        out, err = demo.communicate(timeout=150)
    assert demo.returncode == 0, err
    result = json.loads(out.splitlines()[-1])
    assert list(result) == KEYS
    assert result["rows"] == 60 == result["accepted"] + result["refused"]
    assert sum(result[state] for state in FINALS) == result["accepted"]
    assert (result["lost"], result["doubled"]) == (0, 0)
    (folder,) = tmp_path.glob("bulkfax-demo-*")
    assert len((folder / "report.csv").read_text().splitlines()) == 61
    assert not (folder / "redis").exists()


@pytest.mark.story
def test_a_demo_that_is_broken_off_leaves_nothing_running(tmp_path: Path) -> None:
    with start(tmp_path) as demo:
        until(lambda: any("worker" in name.name for name in tmp_path.glob("*/*.log")), 60)
        everything = descendants(demo.pid)
        demo.send_signal(signal.SIGTERM)
        demo.communicate(timeout=60)
    assert demo.returncode != 0
    assert len(everything) >= 4
    assert all(gone(pid) for pid in everything)


COUNTS = {"delivered": 7, "failed": 2}
BATCH = Batch.model_validate(
    {
        "id": "b",
        "state": "finished",
        "rows": 9,
        "refused": 2,
        "duplicates": 1,
        "counts": COUNTS,
        "categories": {"failed": {"busy": 1, "bad_number": 1}},
    }
)
CLEAN = Comparison(faxes=12, lost=(), doubled=(), wrong_state=(), strays=(), retried_to_delivery=1)


def result(**changed: object) -> DemoResult:
    fields = {"rows": 12, "batch": BATCH, "comparison": CLEAN, "healthy": True, "findings": (), "seconds": 1.0}
    return DemoResult(**{**fields, **changed})  # type: ignore[arg-type]  # each test changes what it is about


def test_the_object_for_machines_has_exactly_the_agreed_keys_in_their_order() -> None:
    assert list(result().as_json()) == KEYS


def test_duplicates_count_as_refused_rows() -> None:
    assert result().as_json()["refused"] == 3


def test_nothing_is_wrong_with_a_clean_result() -> None:
    assert result().faults() == []


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"rows": 13}, "are not 13 rows"),
        ({"batch": BATCH.model_copy(update={"counts": {"delivered": 7, "waiting": 2}})}, "7 of 9 jobs"),
        ({"comparison": replace(CLEAN, lost=("b.1",))}, "1 job lost: b.1"),
        ({"comparison": replace(CLEAN, doubled=("b.1", "b.2"))}, "2 jobs faxed twice: b.1, b.2"),
        ({"comparison": replace(CLEAN, wrong_state=("b.1",))}, "1 job in a wrong state"),
        ({"comparison": replace(CLEAN, strays=tuple("abcdefg"))}, "7 faxes of no job: a, b, c, d, e, ..."),
        ({"healthy": False, "findings": ("two are misplaced",)}, "doctor found: two are misplaced"),
    ],
)
def test_what_does_not_add_up_is_said(changed: dict[str, object], says: str) -> None:
    (fault,) = result(**changed).faults()
    assert says in fault
