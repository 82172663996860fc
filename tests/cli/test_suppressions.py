"""``bulkfax suppressions``: what is asked of the API, and what is printed."""

import json
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from dispatcher.cli import suppressions
from dispatcher.client import Client

ENTRY = {"number": "+12025550143", "source": "opt_out", "reason": "asked by phone", "active": True}


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> list[httpx.Request]:
    """The requests that the command makes of an API with one entry."""
    sent: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        if request.method == "DELETE":
            return httpx.Response(200, json={"removed": 1})
        if request.url.path.endswith("/import"):
            request.read()
            row = {"line": 3, "number": "x", "reason": "not_a_number", "detail": "This is no number."}
            return httpx.Response(200, json={"accepted": 2, "added": 1, "refused": 1, "refused_sample": [row]})
        if request.url.path.endswith("/export"):
            return httpx.Response(200, content=b"number\n+12025550143\n")
        if request.method == "GET" and request.url.path == "/v1/suppressions":
            return httpx.Response(200, json={"suppressions": [ENTRY], "next": None})
        return httpx.Response(200, json=ENTRY)

    def opened(**_: object) -> Client:
        return Client("http://api.test", transport=httpx.MockTransport(answer))

    monkeypatch.setattr(Client, "from_environment", opened)
    return sent


@pytest.mark.parametrize(
    ("arguments", "method", "target"),
    [
        (["list", "--source", "opt_out"], "GET", "/v1/suppressions?source=opt_out&limit=1000"),
        (["show", "(202) 555-0143"], "GET", "/v1/suppressions/%28202%29%20555-0143"),
        (["add", "202-555-0143", "--source", "opt_out"], "POST", "/v1/suppressions"),
        (["remove", "+12025550143"], "DELETE", "/v1/suppressions/%2B12025550143"),
        (
            ["remove", "--source", "dead_number", "--batch", "b1"],
            "DELETE",
            "/v1/suppressions?source=dead_number&batch=b1",
        ),
    ],
)
@pytest.mark.parametrize("as_json", [False, True])
def test_a_command_makes_one_request(
    requests: list[httpx.Request], arguments: list[str], method: str, target: str, as_json: bool
) -> None:
    result = CliRunner().invoke(suppressions.app, [*arguments, *(["--json"] if as_json else [])])
    assert result.exit_code == 0, result.output
    assert [(sent.method, sent.url.raw_path.decode()) for sent in requests] == [(method, target)]
    if as_json:
        assert json.loads(result.stdout.splitlines()[-1])


def test_an_import_and_an_export(requests: list[httpx.Request], tmp_path: Path) -> None:
    file, output = tmp_path / "in.csv", tmp_path / "out.csv"
    file.write_text("number\n+12025550143\nx\n")
    imported = CliRunner().invoke(suppressions.app, ["import", str(file), "--source", "opt_out", "--json"])
    assert json.loads(imported.stdout.splitlines()[-1])["refused_sample"][0]["line"] == 3
    # whoever is on the refused line may still be faxed
    assert (imported.exit_code, str(imported.exception)[:15]) == (1, "1 line refused,")
    assert requests[0].url.params["source"] == "opt_out"
    assert CliRunner().invoke(suppressions.app, ["export", "-o", str(output)]).exit_code == 0
    assert output.read_text() == "number\n+12025550143\n"


@pytest.mark.parametrize("arguments", [[], ["+12025550143", "--source", "manual"], ["+12025550143", "--batch", "b"]])
def test_a_removal_names_a_number_or_a_source(requests: list[httpx.Request], arguments: list[str]) -> None:
    """Never both, and never neither: that would be the whole list."""
    assert CliRunner().invoke(suppressions.app, ["remove", *arguments]).exit_code != 0
    assert requests == []
