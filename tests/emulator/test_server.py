"""The command: its first line, its error messages, and its end."""

import base64
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from dispatcher.emulator import EmulatorConfig, running
from dispatcher.emulator.__main__ import main
from tests.emulator.emulator_client import EmulatorClient, eventually

COMMAND = [sys.executable, "-m", "dispatcher.emulator"]


def test_it_prints_its_address_and_account_but_not_its_secret_first_and_ends_when_interrupted() -> None:
    arguments, env = ["--port", "0", "--project-id", "p1", "--key-id", "k1"], os.environ | {"EMULATOR_KEY_SECRET": "s1"}
    with subprocess.Popen([*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env) as process:
        assert process.stdout is not None
        word, url, *rest = process.stdout.readline().decode().split()
        assert (word, rest) == ("emulator:", ["project=p1", "key=k1"])
        assert httpx.get(f"{url}/v3/projects/p1/faxes", auth=("k1", "s1")).status_code == 200
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
        assert (process.returncode, out, err) == (0, b"", b"")


def test_a_client_that_disconnects_in_the_middle_of_its_request_leaves_no_fax_and_no_output() -> None:
    with subprocess.Popen([*COMMAND, "--port", "0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        url = httpx.URL(process.stdout.readline().decode().split()[1])
        with socket.create_connection((url.host, url.port or 0)) as client:
            client.sendall(_request_without_body())
        eventually(lambda: httpx.get(f"{url}/emulator/stats").json()["requestsByStatus"])
        assert httpx.get(f"{url}/emulator/ledger").text == ""
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=20) == (b"", b"")


def _request_without_body() -> bytes:
    """Return a POST request without its body."""
    config = EmulatorConfig()
    key = base64.b64encode(f"{config.key_id}:{config.key_secret}".encode()).decode()
    return (
        f"POST /v3/projects/{config.project_id}/faxes HTTP/1.1\r\nHost: emulator\r\nAuthorization: Basic {key}\r\n"
        "Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n"
    ).encode()


def test_a_bad_argument_cannot_move_the_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--rate", "\x1b[2J", "\x1b[1A\x9b31m\u202e"])
    assert not {"\x1b", "\x9b", "\u202e"} & set(capsys.readouterr().err)


def test_a_bad_scenario_is_one_line_and_status_2(tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text("sed = 1")
    result = subprocess.run([*COMMAND, "--scenario", str(path)], capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert result.stderr.startswith(f"emulator: {path}: sed: unknown key; allowed: seed,")
    assert result.stderr.count("\n") == 1


def test_an_unavailable_port_is_one_line_and_status_1(capsys: object) -> None:
    with socket.create_server(("127.0.0.1", 0)) as accepted:
        port = accepted.getsockname()[1]
        result = subprocess.run([*COMMAND, "--port", str(port)], capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert result.stderr == f"emulator: cannot listen on 127.0.0.1:{port}: Address already in use\n"


def test_a_missing_scenario_is_named(capsys: object) -> None:
    assert main(["--scenario", "/nowhere/none.toml"]) == 2


def test_senders_are_checked_if_the_project_has_numbers() -> None:
    with running(EmulatorConfig(numbers=("+12025550111",))) as server, EmulatorClient(server) as client:
        assert client.send_accepted()["from"] == "+12025550111"
        answer = client.send_fax(**{"from": "+12025550112"})
        assert answer.status_code == 422
        assert answer.json()["details"]["fieldViolations"][0]["field"] == "from"


def test_the_openapi_document_is_served() -> None:
    with running(EmulatorConfig()) as server:
        document = httpx.get(f"{server.url}/openapi.json").json()
    assert "/v3/projects/{projectId}/faxes" in document["paths"]
