"""Processes side by side: with all their children, restarted when they die, gone when asked."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dispatcher.local import supervisor as supervisor_module
from dispatcher.local.errors import StartFailed
from dispatcher.local.redis_server import EmbeddedServer
from dispatcher.local.signals import uninterrupted
from dispatcher.local.supervisor import LocalSupervisor, ManagedProcess, Process, backoff_s
from tests.local.watching import gone, until

#: starts a child that ignores SIGTERM, tells both process ids, and waits
MASTER = """
import os, signal, subprocess, sys, time
deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
child = subprocess.Popen([sys.executable, "-c", deaf])
open(sys.argv[1], "w").write(f"{child.pid}\\n")
time.sleep(600)
"""
STUBBORN = """
import signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
open(sys.argv[1], "w").write("ready\\n")
time.sleep(600)
"""

#: counts how often it is asked to stop, and listens a moment after the first time
COUNTING = """
import pathlib, signal, sys, time
asked, count = 0, pathlib.Path(sys.argv[1])
def ask(*_):
    global asked
    asked += 1
    count.write_text(str(asked))
signal.signal(signal.SIGTERM, ask)
count.write_text("0")
while not asked:
    time.sleep(0.01)
time.sleep(0.2)
"""


def python(code: str, *arguments: str, name: str = "it", log: Path | None = None) -> Process:
    return Process(name, [sys.executable, "-c", code, *arguments], env=dict(os.environ), log=log)


@pytest.fixture
def master(tmp_path: Path) -> Iterator[tuple[Process, int]]:
    """A process with a child that outlives it, and the child's process id."""
    said = tmp_path / "child"
    process = python(MASTER, str(said))
    process.start()
    until(lambda: said.exists() and said.read_text().endswith("\n"))
    yield process, int(said.read_text())
    process.stop()


def test_stopping_a_process_ends_its_children_too(master: tuple[Process, int]) -> None:
    process, child = master
    process.stop()
    assert gone(process.pid)
    until(lambda: gone(child))


def test_starting_a_killed_process_again_ends_the_orphans_it_left(master: tuple[Process, int]) -> None:
    process, orphan = master
    os.kill(process.pid, signal.SIGKILL)
    until(lambda: not process.running)
    assert not gone(orphan)
    process.start()
    until(lambda: gone(orphan))


def test_a_process_that_does_not_listen_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor_module, "STOP_TIMEOUT_S", 0.1)
    process = python(STUBBORN, str(tmp_path / "ready"))
    process.start()
    until((tmp_path / "ready").exists)
    process.stop()
    assert process.how_it_ended() == "was killed by SIGKILL"


def test_a_process_that_cannot_be_started_says_so(tmp_path: Path) -> None:
    process = Process("worker", [str(tmp_path / "missing")], env={})
    with pytest.raises(StartFailed, match=r"worker cannot be started: .*missing"):
        process.start()


def test_a_process_is_asked_to_stop_only_once(tmp_path: Path) -> None:
    process = python(COUNTING, str(tmp_path / "asked"))
    process.start()
    count = tmp_path / "asked"
    until(lambda: count.exists() and count.read_text() == "0")  # an empty file is still being written
    process.ask_to_stop()
    process.stop()
    assert count.read_text() == "1"


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Python's own answer to SIGINT, which a shell that starts us in the background has taken away."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_an_interruption_waits_for_the_end_of_an_uninterrupted_block() -> None:
    done: list[str] = []

    def block() -> None:
        with uninterrupted():
            signal.raise_signal(signal.SIGINT)
            done.append("block")

    with pytest.raises(KeyboardInterrupt):
        block()
    assert done == ["block"]


def test_an_uninterrupted_block_without_an_interruption_leaves_the_handlers_as_they_were() -> None:
    before = signal.getsignal(signal.SIGINT)
    with uninterrupted():
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before


def test_output_goes_to_the_log_and_a_restart_appends(tmp_path: Path) -> None:
    process = python("print('hello')", log=tmp_path / "log")
    for _ in range(2):
        process.start()
        until(lambda: not process.running)
    assert (tmp_path / "log").read_text() == "hello\nhello\n"
    assert process.how_it_ended() == "ended with status 0"
    assert process.last_words() == "hello"


def test_stopping_what_never_started_does_no_harm() -> None:
    python("").stop()


@pytest.mark.parametrize(("deaths", "seconds"), [(1, 0.5), (2, 1), (3, 2), (7, 30), (1000, 30)])
def test_waits_before_restarts_double_up_to_half_a_minute(deaths: int, seconds: float) -> None:
    assert backoff_s(deaths) == seconds


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch, said: list[str]) -> Iterator[Callable[..., LocalSupervisor]]:
    """Makes supervisors that watch in a thread, and stops them at the end."""
    monkeypatch.setattr(supervisor_module, "FIRST_BACKOFF_S", 0.02)
    stop, running = threading.Event(), []

    def make(*parts: ManagedProcess) -> LocalSupervisor:
        supervisor = LocalSupervisor(parts, said.append)
        supervisor.start()
        thread = threading.Thread(target=supervisor.watch, args=(stop,))
        thread.start()
        running.append((supervisor, thread))
        return supervisor

    yield make
    stop.set()
    for supervisor, thread in running:
        thread.join()
        supervisor.stop()


def test_who_dies_is_started_again_and_it_is_said(watched: Callable[..., LocalSupervisor], said: list[str]) -> None:
    process = python("import time; time.sleep(600)", name="worker")
    watched(process)
    first = process.pid
    os.kill(first, signal.SIGKILL)
    until(lambda: "worker runs again" in said)
    assert process.pid != first
    assert said[0] == "worker was killed by SIGKILL; starting it again in 0.02 s"


def test_who_dies_at_once_every_time_is_started_ever_later(
    watched: Callable[..., LocalSupervisor], said: list[str]
) -> None:
    watched(python("raise SystemExit(3)", name="web"))
    until(lambda: sum("ended with status 3" in line for line in said) >= 3)
    waits = [line.rpartition("in ")[2] for line in said if "ended with status 3" in line]
    assert waits[:3] == ["0.02 s", "0.04 s", "0.08 s"]


def test_a_killed_redis_comes_back_under_its_address(
    watched: Callable[..., LocalSupervisor], said: list[str], tmp_path: Path
) -> None:
    server = EmbeddedServer(tmp_path)
    watched(server)
    url = server.url
    os.kill(server.pid, signal.SIGKILL)
    until(lambda: "redis runs again" in said)
    assert (server.running, server.url) == (True, url)


class Failing:
    """A part that cannot be started again."""

    name = "redis"
    running = False

    def __init__(self) -> None:
        self.starts = 0

    def start(self) -> None:
        self.starts += 1
        if self.starts > 1:
            raise StartFailed("the disk is full")

    def ask_to_stop(self) -> None: ...

    def stop(self) -> None: ...

    def how_it_ended(self) -> str:
        return "ended"

    def last_words(self) -> str:
        return ""


def test_a_restart_that_fails_is_said_and_tried_again(watched: Callable[..., LocalSupervisor], said: list[str]) -> None:
    part = Failing()
    watched(part)
    until(lambda: part.starts >= 3)
    assert any(line.startswith("redis could not be started: the disk is full; starting it again") for line in said)


def test_the_first_dead_part_is_named() -> None:
    alive, dead = python("import time; time.sleep(600)"), python("", name="dead")
    supervisor = LocalSupervisor([alive, dead], print)
    supervisor.start()
    try:
        until(lambda: supervisor.first_dead() is dead)
    finally:
        supervisor.stop()
    assert not alive.running
