"""A probe sees a stopped or stuck process without asking Redis, and Redis that is away stops no process."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dispatcher.alive import BEAT_S, AliveFile
from dispatcher.cli import alive
from dispatcher.cli.alive import stuck
from dispatcher.local.ports import free_port
from dispatcher.local.services import service_processes
from dispatcher.runtime import open_store
from dispatcher.settings import Settings, SettingsError
from dispatcher.store.client import PATIENT
from tests.local.watching import descendants, until
from workers.scheduler import _MAX_INTERVAL_S

#: seconds after which a process counts as stuck here; its loop touches its file each second
MAX_AGE_S = BEAT_S + 0.5

#: seconds that a process may take to start on a busy machine
START_S = 60.0

Start = Callable[..., tuple[Path, int]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start services; the fixture returns the folder of their files and their process ID."""
    started = []

    def start(name: str, redis_url: str) -> tuple[Path, int]:
        folder = tmp_path / f"alive-{name}"
        env = {
            "BULKFAX_REDIS_URL": redis_url,
            "BULKFAX_ALLOW_UNSAFE_REDIS": "true",
            "BULKFAX_ALIVE_DIR": str(folder),
            "BULKFAX_WORKER_PROCESSES": "2",
        }
        [process] = service_processes(os.environ | env, names=[name], logs=tmp_path)
        process.start()
        started.append(process)
        return folder, process.pid

    yield start
    for process in started:
        process.stop()


def test_each_process_of_a_worker_is_seen_also_while_redis_is_away(start: Start) -> None:
    folder, pid = start("worker", f"redis://127.0.0.1:{free_port()}")
    until(lambda: {path.name for path in _files(folder)} == {"worker", "worker-0", "worker-1"}, START_S)
    until(lambda: not stuck(folder, MAX_AGE_S), START_S)
    stopped = pid, descendants(pid)[-1]
    for process in stopped:
        os.kill(process, signal.SIGSTOP)
    until(lambda: len(stuck(folder, MAX_AGE_S)) == 2)
    assert [sentence.startswith("worker") for sentence in stuck(folder, MAX_AGE_S)] == [True, True]
    for process in stopped:
        os.kill(process, signal.SIGCONT)
    until(lambda: not stuck(folder, MAX_AGE_S))


def test_a_stopped_scheduler_is_seen(start: Start, redis_url: str) -> None:
    folder, pid = start("scheduler", redis_url)
    until(lambda: len(_files(folder)) == 2, START_S)
    _take_a_turn(redis_url, folder)
    os.kill(pid, signal.SIGSTOP)
    until(lambda: len(stuck(folder, MAX_AGE_S)) == 2)
    os.kill(pid, signal.SIGCONT)
    _take_a_turn(redis_url, folder)


def test_web_is_seen_too(start: Start, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BULKFAX_PORT", str(free_port()))
    folder, pid = start("web", redis_url)
    until(lambda: [path.name for path in _files(folder)] == ["web"], START_S)
    os.kill(pid, signal.SIGSTOP)
    until(lambda: stuck(folder, MAX_AGE_S))
    os.kill(pid, signal.SIGCONT)
    until(lambda: not stuck(folder, MAX_AGE_S))


def _files(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []


def _take_a_turn(redis_url: str, folder: Path) -> None:
    """Wake the scheduler, which touches its file at each turn, until nothing is stuck."""

    async def wake() -> None:
        async with open_store(Settings(redis_url=redis_url, allow_unsafe_redis=True)) as store:
            await store.wakes.wake()

    def moves() -> bool:
        asyncio.run(wake())
        return not stuck(folder, MAX_AGE_S)

    until(moves)


def test_a_loop_that_hangs_is_seen(tmp_path: Path) -> None:
    hang, hangs = threading.Event(), threading.Event()

    async def run() -> None:
        beat = asyncio.create_task(AliveFile(tmp_path, "loop").beat())
        await asyncio.sleep(0)
        hangs.set()
        hang.wait(20)  # it hangs on purpose
        await asyncio.sleep(0.01)
        beat.cancel()

    thread = threading.Thread(target=asyncio.run, args=[run()])
    thread.start()
    hangs.wait(20)
    assert stuck(tmp_path, 0.2) == []
    until(lambda: stuck(tmp_path, 0.2))
    hang.set()
    thread.join()


def test_a_process_that_has_not_started_is_named(tmp_path: Path) -> None:
    AliveFile(tmp_path, "worker").touch()
    AliveFile(tmp_path, "worker-0").expect()
    assert stuck(tmp_path, 30) == ["worker-0 has not started"]
    AliveFile(tmp_path, "worker-0").touch()
    assert stuck(tmp_path, 30) == []


def test_nothing_happens_without_a_folder_and_a_bad_one_is_named(tmp_path: Path) -> None:
    AliveFile(None, "worker").touch()
    AliveFile(None, "worker").expect()
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match=r"BULKFAX_ALIVE_DIR: .*file/alive"):
        AliveFile(tmp_path / "file" / "alive", "worker")


def test_the_command_tells_by_its_status_what_does_not_move(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BULKFAX_ALIVE_DIR", raising=False)
    assert alive.main([]) == 1
    assert "BULKFAX_ALIVE_DIR is not set" in capsys.readouterr().err
    (tmp_path / ".env").write_text(f"BULKFAX_ALIVE_DIR={tmp_path}/alive\n")
    assert alive.main([]) == 1
    assert "no process has started" in capsys.readouterr().err
    file = AliveFile(tmp_path / "alive", "worker-3")
    file.touch()
    assert alive.main([]) == 0
    hour_ago_s = time.time() - 3600
    os.utime(tmp_path / "alive" / "worker-3", (hour_ago_s, hour_ago_s))
    assert alive.main([]) == 1
    assert capsys.readouterr().err == "worker-3 has not moved for 3600 s\n"
    assert alive.main(["--max-age", "4000"]) == 0


def test_the_command_imports_little(tmp_path: Path) -> None:
    """A probe runs it every few seconds beside the work."""
    code = "import sys; sys.argv = ['bulkfax', 'alive']\nfrom dispatcher.cli.main import run\ntry: run()\n"
    code += "except SystemExit: print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert not set(ran.stdout.split()) & {"pydantic", "typer", "rich", "structlog", "redis", "dispatcher.settings"}


def test_a_turn_of_the_scheduler_is_shorter_than_the_age_that_counts_as_stuck() -> None:
    longest_command_s = PATIENT.timeout_s * (PATIENT.retries + 1) + 1
    assert _MAX_INTERVAL_S + 2 * longest_command_s < alive.MAX_AGE_S
