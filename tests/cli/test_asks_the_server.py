"""Commands that ask the server, with errors that name options and variables."""

import json
from pathlib import Path

import pytest

from dispatcher.local.cluster import LocalCluster
from tests.cli.conftest import Bulkfax


def test_policy_explain_asks_the_server(
    connected: Bulkfax, cluster: LocalCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BULKFAX_POLICY_FILE")
    ran = connected("policy", "explain", "CALL_ERROR", "17")
    assert f"the server's, at {cluster.url}" in ran.out
    assert "1.8 s" in ran.out
    answer = json.loads(connected("policy", "explain", "CALL_ERROR", "17", "--json").last_line)
    assert (answer["server"], answer["category"]) == (cluster.url, "busy")
    assert "3 m, 5 m" in connected("policy", "explain", "CALL_ERROR", "17", "--here").out


def test_the_status_is_printed_and_as_json(connected: Bulkfax) -> None:
    assert connected("status", "--once").status == 0
    seen = json.loads(connected("status", "--json").last_line)
    assert (seen["scheduler_alive"], seen["workers_alive"] > 0, seen["provider"]) == (True, True, "ok")


def test_a_wrong_key_names_the_variable(connected: Bulkfax, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BULKFAX_API_KEY", "wrong")
    ran = connected("batches", "list")
    assert ran.status == 1
    assert "BULKFAX_API_KEY." in ran.err


@pytest.mark.parametrize(
    ("typed", "named"),
    [
        (("--country", "XX"), "--country: "),
        (("--sender", "12"), "--sender: "),
        (("--header-text", "x" * 60), "--header-text: "),
        (("--deadline", "2020-01-01T00:00"), "--deadline: "),
        (("--resolution", "fine", "--time-zone", "Nowhere"), "--time-zone: "),
    ],
)
def test_a_refused_option_is_named_as_it_is_typed(
    connected: Bulkfax, repository: Path, tmp_path: Path, typed: tuple[str, ...], named: str
) -> None:
    (tmp_path / "list.csv").write_text("fax\n+12025550177\n")
    ran = connected("send", repository / "examples" / "letter.pdf", "list.csv", *typed)
    assert ran.status == 1
    assert named in ran.err
