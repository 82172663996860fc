"""Tests of the three commands of the Procfile beside a Redis server and the emulator, over plain HTTP."""

import json
import os
import shlex
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from dispatcher.local.ports import free_port
from dispatcher.local.supervisor import Process

pytestmark = pytest.mark.story
PATIENCE_S = 60.0


@pytest.fixture
def emulator(tmp_path: Path) -> Iterator[str]:
    """URL of an emulator that runs as a separate process."""
    log = tmp_path / "emulator.log"
    options = "--project-id p --key-id k --key-secret s --speed 20 --port 0"
    command = [sys.executable, "-m", "dispatcher.emulator", *options.split()]
    process = Process("emulator", command, env=os.environ, log=log)
    process.start()
    try:
        yield _wait_for(lambda: log.read_text().partition("\n")[0].split()[1] if "\n" in log.read_text() else "")
    finally:
        process.stop()


@pytest.fixture
def api(repository: Path, tmp_path: Path, redis_url: str, emulator: str) -> Iterator[str]:
    """URL of the API, with all processes of the Procfile running."""
    port = free_port()
    env = os.environ | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "BULKFAX_REDIS_URL": redis_url,
        "BULKFAX_PORT": str(port),
        "BULKFAX_PUBLIC_URL": f"http://127.0.0.1:{port}",
        "BULKFAX_POLICY_FILE": str(repository / "examples" / "fast-policy.toml"),
        "BULKFAX_SINCH__PROJECT_ID": "p",
        "BULKFAX_SINCH__KEY_ID": "k",
        "BULKFAX_SINCH__KEY_SECRET": "s",
        "BULKFAX_SINCH__BASE_URL": emulator,
        "BULKFAX_SINCH__AUTH_URL": f"{emulator}/oauth2/token",
        "BULKFAX_SINCH__RATE_PER_SECOND": "30",
    }
    with ExitStack() as running:
        for line in (repository / "Procfile").read_text().splitlines():
            name, _, command = line.partition(": ")
            process = Process(name, shlex.split(command), env=env, cwd=tmp_path, log=tmp_path / f"{name}.log")
            process.start()
            running.callback(process.stop)
        url = f"http://127.0.0.1:{port}"
        _wait_for(lambda: _answers(f"{url}/readyz"))
        yield url


def test_the_procfile_commands_send_a_batch(api: str, repository: Path) -> None:
    letter = (repository / "examples" / "letter.pdf").read_bytes()
    document = _post(f"{api}/v1/documents", letter, "application/pdf")["id"]
    batch = _post(f"{api}/v1/batches", json.dumps({"name": "by hand", "documents": [document]}).encode())["id"]
    lines = "".join(f'{{"number": "+1202555{n:04}"}}\n' for n in range(100, 150))
    upload = _post(f"{api}/v1/batches/{batch}/recipients", lines.encode(), "application/x-ndjson")
    assert (upload["accepted"], upload["refused"]) == (50, 0)
    _post(f"{api}/v1/batches/{batch}/start", b"")
    ended = _wait_for(lambda: state if (state := _get(f"{api}/v1/batches/{batch}"))["state"] == "finished" else None)
    assert ended["counts"]["delivered"] == 50
    with urllib.request.urlopen(f"{api}/v1/batches/{batch}/report", timeout=10) as report:
        assert report.read().decode().count(",delivered,") == 50


def _wait_for(poll: Any) -> Any:
    """Return the first true value of ``poll``."""
    end_s = time.monotonic() + PATIENCE_S
    while not (value := poll()):
        assert time.monotonic() < end_s, "waited too long"
        time.sleep(0.1)
    return value


def _answers(url: str) -> bool:
    try:
        return bool(_get(url))
    except OSError:
        return False


def _get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=10) as response:
        return json.load(response)


def _post(url: str, body: bytes, content_type: str = "application/json") -> Any:
    request = urllib.request.Request(url, data=body, headers={"Content-Type": content_type})
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.load(response)
