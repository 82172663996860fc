"""The supervisor keeps independent processes running, and none of them outlives it."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dispatcher.runtime import open_store
from dispatcher.settings import Settings
from tests.local.watching import gone, until
from tests.workers import supervised
from workers import identity
from workers.identity import Identity
from workers.service import report_end
from workers.supervisor import backoff_s, how_it_ended


@dataclass(frozen=True, slots=True)
class Running:
    """A supervisor as a process of its own."""

    process: "subprocess.Popen[bytes]"
    folder: Path

    def identities(self) -> dict[int, Identity]:
        """By process id, of all processes that have got so far, ended ones included."""
        notes = [path for path in self.folder.iterdir() if path.name.isdigit()]
        return {int(path.name): Identity(*path.read_text().split()) for path in notes}

    def reported(self) -> list[Identity]:
        return [Identity(*path.read_text().split()) for path in self.folder.glob("end-*[0-9]")]

    def soon(self, processes: int) -> dict[int, Identity]:
        until(lambda: len(self.identities()) >= processes)
        return self.identities()

    def said(self) -> list[dict[str, Any]]:
        lines = (self.folder / "said").read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(20)


Start = Callable[..., Running]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a supervisor whose processes do a certain work."""
    started: list[Running] = []

    def start(work: str, *names: str, stop_s: float = 5) -> Running:
        command = [sys.executable, "-m", supervised.__name__, str(tmp_path), work, str(stop_s), *names]
        with (tmp_path / "said").open("ab") as said:
            started.append(Running(subprocess.Popen(command, stderr=said), tmp_path))
        return started[-1]

    yield start
    for running in started:
        running.process.kill()
        running.process.wait()


def test_a_process_that_dies_is_started_again_at_once_and_the_others_go_on(start: Start) -> None:
    running = start("wait", "a", "b")
    before = running.soon(2)
    victim = next(pid for pid, who in before.items() if who.name == "a")
    os.kill(victim, signal.SIGKILL)
    after = running.soon(3)
    new = after[next(pid for pid in after if pid not in before)]
    assert new.name == "a"
    assert new.instance != before[victim].instance
    assert not any(gone(pid) for pid in before if pid != victim)
    until(lambda: running.reported() == [before[victim]])
    assert running.stop() == 0
    assert all(gone(pid) for pid in running.identities())
    assert running.reported() == [before[victim]], "who stops when it is asked says so itself"
    assert [(line["worker"], line["how"], line["wait_s"]) for line in running.said()] == [
        ("a", "killed by SIGKILL", 0.0)
    ]


def test_processes_end_when_their_supervisor_is_killed(start: Start) -> None:
    running = start("wait", "a", "b")
    running.soon(2)
    running.process.kill()
    until(lambda: all(gone(child) for child in running.identities()))


def test_a_process_that_does_not_stop_in_time_is_killed_and_reported(start: Start) -> None:
    running = start("hang", "a", stop_s=0.1)
    pid, who = next(iter(running.soon(1).items()))
    assert running.stop() == 0
    assert gone(pid)
    assert [line["event"] for line in running.said()] == ["a worker process did not stop in time and is killed"]
    assert running.reported() == [who]


def test_what_dies_at_once_again_and_again_is_started_ever_later(start: Start) -> None:
    running = start("fail", "a")
    until(lambda: len(running.said()) >= 4)
    assert [line["wait_s"] for line in running.said()[:4]] == [0.0, 0.05, 0.1, 0.2]
    assert {line["how"] for line in running.said()} == {"status 3"}


def test_an_error_that_nobody_expected_ends_the_process_and_not_the_supervisor(start: Start) -> None:
    running = start("break_off", "a")
    until(lambda: len(running.said()) >= 2)
    assert "LookupError: nobody expected this" in (running.folder / "said").read_text()
    assert running.stop() == 0


@pytest.mark.parametrize(("deaths", "seconds"), [(0, 0), (1, 0), (2, 0.05), (3, 0.1), (8, 3), (10_000, 3)])
def test_waits_double_up_to_a_few_seconds(deaths: int, seconds: float) -> None:
    assert backoff_s(deaths) == seconds


def test_a_death_has_a_name() -> None:
    assert how_it_ended(-signal.SIGTERM) == "killed by SIGTERM"
    assert how_it_ended(1) == "status 1"


def test_an_end_is_reported_to_the_registry(redis_url: str) -> None:
    settings, who = Settings(redis_url=redis_url), Identity("h/0/0", "abc")

    async def known() -> int:
        async with open_store(settings) as store:
            return len(await store.workers.all())

    async def register() -> None:
        async with open_store(settings) as store:
            await store.workers.register(who.name, who.instance)

    asyncio.run(register())
    assert asyncio.run(known()) == 1
    report_end(settings, who)
    assert asyncio.run(known()) == 0


def test_what_is_forked_has_one_thread() -> None:
    """A fork copies the calling thread alone: what another one holds would be held for ever."""
    code = "import workers.service, os; print(len(os.listdir('/proc/self/task')))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout == "1\n"


def test_services_of_one_host_have_different_names_that_come_back(tmp_path: Path) -> None:
    with identity.service_names("one", 2, tmp_path) as first, identity.service_names("one", 1, tmp_path) as second:
        assert len({*first, *second}) == 3
        with identity.service_names("another", 2, tmp_path) as other:
            assert other == first, "another installation counts anew"
    with identity.service_names("one", 2, tmp_path) as again:
        assert again == first


def test_a_folder_that_takes_no_locks_leaves_names_that_are_unique(tmp_path: Path) -> None:
    with identity.service_names("one", 1, tmp_path / "missing") as names:
        assert names == [f"{identity.host()}/pid{os.getpid()}/0"]


def test_a_process_without_a_supervisor_is_named_by_its_id() -> None:
    own = identity.own_identity({})
    assert own.name == f"{identity.host()}/{os.getpid()}"
    given = identity.own_identity({identity.NAME: "h/0/1", identity.INSTANCE: "abc"})
    assert given == Identity("h/0/1", "abc")
