"""Mailings from the command line, against a real cluster."""

import csv
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from dispatcher.local.cluster import LocalCluster
from tests.cli.conftest import Bulkfax, Ran
from tests.local.watching import descendants

LIST = (
    "reference,fax,country\nA1,(202) 555-0101,US\nA2,+44 161 496 0102,\nA3,+1 202 555 0103 ext 5,\nA4,2025550101,US\n"
)


@pytest.fixture
def letter(repository: Path) -> Path:
    return repository / "examples" / "letter.pdf"


@pytest.fixture
def recipients(tmp_path: Path) -> Path:
    path = tmp_path / "recipients.csv"
    path.write_text(LIST)
    return path


def test_no_secret_of_the_demo_is_in_a_list_of_processes_or_a_log(cluster: LocalCluster) -> None:
    password = urlsplit(cluster.server.url).password
    assert password is not None
    secrets = (cluster.account["secret"], cluster.api_key, password)
    leaders = [cluster.pid(name) for name in ("redis", "emulator", *cluster.processes)]
    pids = [*leaders, *(below for pid in leaders for below in descendants(pid))]
    shown = {f"arguments of {pid}": Path(f"/proc/{pid}/cmdline") for pid in pids}
    shown |= {log.name: log for log in cluster.folder.rglob("*.log")}
    assert {"emulator.log", "web.log", "worker.log", "scheduler.log", "server.log"} <= set(shown)
    texts = {where: path.read_text(errors="replace") for where, path in shown.items()}
    assert [(where, secret) for where, text in texts.items() for secret in secrets if secret in text] == []


def answer(ran: Ran) -> dict[str, Any]:
    assert ran.status == 0, ran.err
    body: dict[str, Any] = json.loads(ran.last_line)
    return body


@pytest.fixture
def draft(connected: Bulkfax, letter: Path, recipients: Path) -> str:
    """Id of a draft with two jobs."""
    return str(answer(connected("send", letter, recipients, "--allow-repeat", "--draft", "--json"))["id"])


def test_send_and_watch_ends_with_every_job_delivered(connected: Bulkfax, letter: Path, recipients: Path) -> None:
    named = ("--name", "March", "--metadata", "customer=42", "--metadata", "note=a=b")
    batch = answer(connected("send", letter, recipients, *named, "--allow-repeat", "--watch", "--json"))
    assert (batch["name"], batch["state"], batch["rows"]) == ("March", "finished", 2)
    assert (batch["progress"], batch["eta"], batch["waits"], batch["pages_sent"]) == (1.0, None, [], 4)
    assert (batch["cost"], batch["metadata"]) == ({"USD": "0.18"}, {"customer": "42", "note": "a=b"})
    filters = ("--state", "finished", "--name", "march", "--metadata", "customer=42", "--since", "2026-01-01")
    listed = answer(connected("batches", "list", *filters, "--json"))["batches"]
    assert batch["id"] in [shown["id"] for shown in listed]
    assert answer(connected("batches", "list", "--metadata", "customer=4", "--json"))["batches"] == []
    assert batch["counts"]["delivered"] == 2
    assert batch["upload"]["refused_sample"][0]["line"] == 4


def test_what_people_see_names_the_refused_lines_and_the_next_step(
    connected: Bulkfax, letter: Path, recipients: Path
) -> None:
    ran = connected("send", letter, recipients, "--allow-repeat", "--draft")
    assert "extension" in ran.out
    assert "bulkfax batches start" in ran.out


def test_a_batch_is_listed_shown_started_and_reported(connected: Bulkfax, draft: str, tmp_path: Path) -> None:
    assert draft in connected("batches", "list").out
    assert answer(connected("batches", "show", draft, "--json"))["state"] == "draft"
    assert "is running" in connected("batches", "start", draft, "--allow-repeat").err
    assert answer(connected("batches", "watch", draft, "--json"))["state"] == "finished"
    assert connected("batches", "report", draft, "-o", tmp_path / "report.csv").status == 0
    lines = list(csv.DictReader((tmp_path / "report.csv").read_text("utf-8-sig").splitlines()))
    assert [line["state"] for line in lines] == ["delivered", "delivered", "duplicate", "refused"]
    assert [(line["cost"], line["currency"]) for line in lines[1:3]] == [("0.09", "USD"), ("", "")]


def test_a_report_is_not_written_over_another_file_unasked(connected: Bulkfax, draft: str, tmp_path: Path) -> None:
    (tmp_path / "report.csv").write_text("mine")
    ran = connected("batches", "report", draft, "-o", tmp_path / "report.csv")
    assert ran.status == 1
    assert "--force" in ran.err
    assert (tmp_path / "report.csv").read_text() == "mine"


def test_jobs_are_listed_by_filter_and_shown_with_their_story(
    connected: Bulkfax, letter: Path, recipients: Path
) -> None:
    batch = answer(connected("send", letter, recipients, "--allow-repeat", "--watch", "--json"))["id"]
    (job,) = answer(connected("jobs", "list", batch, "--reference", "A2", "--json"))["jobs"]
    assert job["number"] == "+441614960102"
    shown = connected("jobs", "show", job["id"])
    assert "Delivered" in shown.out
    assert answer(connected("jobs", "show", job["id"], "--raw", "--json"))["state"] == "delivered"


def test_a_rerun_is_a_new_batch_with_a_parent(connected: Bulkfax, letter: Path, recipients: Path) -> None:
    batch = answer(connected("send", letter, recipients, "--allow-repeat", "--watch", "--json"))["id"]
    again = answer(
        connected(
            "batches",
            "rerun",
            batch,
            "--state",
            "delivered",
            "--include-delivered",
            "--reason",
            "r",
            "--allow-repeat",
            "--watch",
            "--json",
        )
    )
    assert (again["parent"], again["state"], again["rows"]) == (batch, "finished", 2)


def test_cancel_asks_first_and_leaves_everything_when_nobody_says_yes(connected: Bulkfax, draft: str) -> None:
    assert connected("batches", "cancel", draft).status == 1
    assert answer(connected("batches", "show", draft, "--json"))["state"] == "draft"
    assert answer(connected("batches", "cancel", draft, "--yes", "--json"))["state"] == "cancelled"


def test_a_command_that_does_not_fit_the_state_is_a_sentence(connected: Bulkfax, draft: str) -> None:
    ran = connected("batches", "pause", draft)
    assert ran.status == 1
    assert ran.err.startswith("error: ")


def test_an_unknown_batch_is_a_sentence(connected: Bulkfax) -> None:
    ran = connected("batches", "show", "nothing")
    assert (ran.status, ran.err) == (1, "error: there is no batch nothing\n")


def test_watching_a_draft_is_refused_instead_of_waiting_for_ever(connected: Bulkfax, draft: str) -> None:
    assert "is a draft and sends nothing" in connected("batches", "watch", draft).err


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("list.csv", "reference,town\nA1,Bath\n", "number"),
        ("list.csv", "fax\nnone\n+1\n", "can be sent to: 2 refused; nothing was started"),
        ("list.csv", "", ""),
        ("list.xlsx", "x", "or a workbook"),
        ("missing.csv", None, "missing.csv does not exist"),
    ],
)
def test_a_list_that_cannot_be_used_is_said_and_leaves_no_draft(  # three files and three cases
    connected: Bulkfax, letter: Path, tmp_path: Path, name: str, content: str | None, says: str
) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    before = _drafts(connected)
    ran = connected("send", letter, tmp_path / name)
    assert ran.status == 1
    assert "error: " in ran.err
    assert says in ran.err
    assert _drafts(connected) <= before


def _drafts(connected: Bulkfax) -> set[str]:
    batches = answer(connected("batches", "list", "--limit", "100", "--json"))["batches"]
    return {batch["id"] for batch in batches if batch["state"] == "draft"}


@pytest.mark.parametrize("content", [b"", b"a letter, but no PDF"])
def test_a_letter_that_is_no_pdf_is_said(connected: Bulkfax, recipients: Path, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "letter.pdf").write_bytes(content)
    ran = connected("send", tmp_path / "letter.pdf", recipients)
    assert ran.status == 1
    assert "PDF" in ran.err or "empty" in ran.err


def test_nothing_is_held_and_the_rate_is_shown(connected: Bulkfax) -> None:
    ran = connected("holds", "list")
    assert "200 of 200 faxes a second" in ran.out
    assert "Nothing is held" in ran.err


def test_releasing_what_is_not_held_is_a_sentence(connected: Bulkfax) -> None:
    ran = connected("holds", "release", "account")
    assert (ran.status, ran.err) == (0, "nothing is held under account (any more)\n")


def test_the_doctor_is_content(connected: Bulkfax) -> None:
    ran = connected("doctor", "--json")
    assert answer(ran)["ok"], ran.out


def test_a_wrong_api_key_is_said(connected: Bulkfax, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BULKFAX_API_KEY", "wrong")
    ran = connected("batches", "list")
    assert ran.status == 1
    assert "BULKFAX_API_KEYS" in ran.err


def test_what_the_cluster_sent_is_in_the_providers_ledger(
    connected: Bulkfax, cluster: LocalCluster, letter: Path, recipients: Path
) -> None:
    batch = answer(connected("send", letter, recipients, "--allow-repeat", "--watch", "--json"))["id"]
    assert sorted(fax.to for fax in cluster.emulator_api.ledger() if fax.job.startswith(batch)) == [
        "+12025550101",
        "+441614960102",
    ]
