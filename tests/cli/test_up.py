"""``bulkfax up`` as people run it: everything on one machine, restarted when killed, gone when stopped."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from dispatcher.client import Client
from dispatcher.local.redis_server import running_url
from tests.local.watching import descendants, gone, until

pytestmark = pytest.mark.story
#: secrets that are searched for where they must not be
CANARIES = {
    "BULKFAX_API_KEYS": "canary-api-key",
    "BULKFAX_CALLBACK_KEYS": "canary-callback-key",
    "BULKFAX_SINCH__KEY_SECRET": "canary-key-secret",
}


class Up:
    """A running ``bulkfax up`` in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.url = f"http://127.0.0.1:{free.getsockname()[1]}"
        with (folder / "said").open("ab") as said:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "dispatcher.cli", "up"], cwd=folder, env=self._environment(), stderr=said
            )
        until(lambda: "bulkfax runs" in self.said or self.process.poll() is not None, 60)

    def _environment(self) -> dict[str, str]:
        own = {name: value for name, value in os.environ.items() if not name.startswith("BULKFAX_")}
        # nothing is sent here: the provider's address leads nowhere
        nowhere = {f"BULKFAX_SINCH__{name}": "http://127.0.0.1:1" for name in ("BASE_URL", "AUTH_URL")}
        return own | nowhere | CANARIES | {"BULKFAX_PORT": self.url.rpartition(":")[2]}

    @property
    def said(self) -> str:
        return (self.folder / "said").read_text()

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(60)

    def pids(self) -> dict[str, int]:
        """Process ids of the children, by what they are."""
        pids: dict[str, int] = {}
        for pid in descendants(self.process.pid):
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            known = {b"web": "web", b"scheduler": "scheduler", b"worker": "worker"}
            # processes that the supervisor forked have its command line, and come behind it
            pids = {name: pid for word, name in known.items() if word in words} | pids
            pids |= {"redis": pid} if b"server" in words[0] else {}
        return pids


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    running = Up(tmp_path)
    yield running
    everything = descendants(running.process.pid) if running.process.poll() is None else []
    running.process.terminate()
    running.process.wait(60)
    assert all(gone(pid) for pid in everything)


def test_everything_runs_comes_back_when_killed_and_is_gone_when_stopped(up: Up) -> None:
    with Client(up.url, CANARIES["BULKFAX_API_KEYS"]) as client:
        assert client.ready().ready
        assert running_url(up.folder / ".bulkfax" / "redis")
        for name in ("redis", "web", "scheduler", "worker"):
            until(lambda: name in up.pids())  # noqa: B023  # it may just be starting again, without Redis
            os.kill(up.pids()[name], signal.SIGKILL)
            until(lambda: f"{name} runs again" in up.said)  # noqa: B023  # waited for before the next turn
        until(lambda: client.ready().ready)
    everything = descendants(up.process.pid)
    assert up.stop() == 0
    assert all(gone(pid) for pid in everything)
    assert re.search(r"stopping \.\.\.\n$", up.said)


def test_no_secret_is_in_a_list_of_processes_a_log_or_the_output_of_doctor(up: Up) -> None:
    url = running_url(up.folder / ".bulkfax" / "redis")
    password = urlsplit(url or "").password
    assert password is not None
    secrets = [*CANARIES.values(), password]
    doctor = [sys.executable, "-m", "dispatcher.cli", "doctor", "--json"]
    ran = subprocess.run(doctor, cwd=up.folder, env=up._environment(), capture_output=True, text=True, check=True)
    shown = {
        "doctor": ran.stdout + ran.stderr,
        "output": up.said,
        "redis": (up.folder / ".bulkfax" / "redis" / "server.log").read_text(),
        "environment of redis": _read("environ", up.pids()["redis"]),
        **{f"arguments of {pid}": _read("cmdline", pid) for pid in descendants(up.process.pid)},
    }
    assert len(shown) >= 8
    assert [(where, secret) for where, text in shown.items() for secret in secrets if secret in text] == []


def _read(what: str, pid: int) -> str:
    return Path(f"/proc/{pid}/{what}").read_bytes().decode(errors="replace")


def test_a_second_one_in_the_same_folder_is_refused_with_a_sentence(up: Up) -> None:
    second = Up(up.folder)
    assert second.process.wait(60) == 1
    assert "in use by another server" in up.said
    assert "Traceback" not in up.said


def test_a_process_that_cannot_start_ends_everything_with_status_1(tmp_path: Path) -> None:
    # what is checked before anything starts is the policy, the keys and Redis; an address of the broker is not
    (tmp_path / ".env").write_text("BULKFAX_HOST=127.0.0.1\nBULKFAX_BROKER_URL=http://127.0.0.1:1\n")
    up = Up(tmp_path)
    assert up.process.wait(60) == 1
    assert "BULKFAX_BROKER_URL" in up.said
    assert "Traceback" not in up.said
