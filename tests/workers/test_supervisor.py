"""The supervisor keeps independent processes running, and they end with it."""

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
class SupervisorProcess:
    """A running supervisor process."""

    process: "subprocess.Popen[bytes]"
    folder: Path

    def identities(self) -> dict[int, Identity]:
        """Return the identities by process ID of all started processes, ended ones included."""
        paths = [path for path in self.folder.iterdir() if path.name.isdigit()]
        return {int(path.name): Identity(*path.read_text().split()) for path in paths}

    def reported(self) -> list[Identity]:
        """Return the identities whose end was reported."""
        return [Identity(*path.read_text().split()) for path in self.folder.glob("end-*[0-9]")]

    def wait_for(self, processes: int) -> dict[int, Identity]:
        """Wait until this number of processes has been started, and return their identities."""
        until(lambda: len(self.identities()) >= processes)
        return self.identities()

    def log(self) -> list[dict[str, Any]]:
        """Return the log entries of the supervisor."""
        lines = (self.folder / "log").read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{") and '"started"' not in line]

    def stop(self) -> int:
        """Stop the supervisor and return its exit status."""
        self.process.terminate()
        return self.process.wait(20)


Start = Callable[..., SupervisorProcess]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start supervisors; the first argument names the work of their processes."""
    started: list[SupervisorProcess] = []

    def start(work: str, *names: str, stop_s: float = 5) -> SupervisorProcess:
        command = [sys.executable, "-m", supervised.__name__, str(tmp_path), work, str(stop_s), *names]
        with (tmp_path / "log").open("ab") as log:
            started.append(SupervisorProcess(subprocess.Popen(command, stderr=log), tmp_path))
        return started[-1]

    yield start
    for supervisor in started:
        supervisor.process.kill()
        supervisor.process.wait()


def test_a_killed_process_is_restarted_at_once_and_the_others_continue(start: Start) -> None:
    supervisor = start("wait", "a", "b")
    before = supervisor.wait_for(2)
    killed = next(pid for pid, who in before.items() if who.name == "a")
    os.kill(killed, signal.SIGKILL)
    after = supervisor.wait_for(3)
    new = after[next(pid for pid in after if pid not in before)]
    assert new.name == "a"
    assert new.instance != before[killed].instance
    assert not any(gone(pid) for pid in before if pid != killed)
    until(lambda: supervisor.reported() == [before[killed]])
    assert supervisor.stop() == 0
    assert all(gone(pid) for pid in supervisor.identities())
    assert supervisor.reported() == [before[killed]], "a process that stops on request reports its end itself"
    assert [(line["worker"], line["how"], line["wait_s"]) for line in supervisor.log()] == [
        ("a", "killed by SIGKILL", 0.0)
    ]


def test_processes_end_when_their_supervisor_is_killed(start: Start) -> None:
    supervisor = start("wait", "a", "b")
    supervisor.wait_for(2)
    supervisor.process.kill()
    until(lambda: all(gone(child) for child in supervisor.identities()))


def test_a_process_that_does_not_stop_in_time_is_killed_and_reported(start: Start) -> None:
    supervisor = start("hang", "a", stop_s=0.1)
    pid, who = next(iter(supervisor.wait_for(1).items()))
    assert supervisor.stop() == 0
    assert gone(pid)
    assert [line["event"] for line in supervisor.log()] == ["a worker process did not stop in time and is killed"]
    assert supervisor.reported() == [who]


def test_the_wait_grows_if_a_process_ends_quickly_again_and_again(start: Start) -> None:
    supervisor = start("fail", "a")
    until(lambda: len(supervisor.log()) >= 4)
    assert [line["wait_s"] for line in supervisor.log()[:4]] == [0.0, 0.05, 0.1, 0.2]
    assert {line["how"] for line in supervisor.log()} == {"status 3"}


def test_an_unexpected_error_ends_the_process_and_not_the_supervisor(start: Start) -> None:
    supervisor = start("raise_error", "a")
    until(lambda: len(supervisor.log()) >= 2)
    assert "LookupError: an unexpected error" in (supervisor.folder / "log").read_text()
    assert supervisor.stop() == 0


@pytest.mark.parametrize(("quick_ends", "seconds"), [(0, 0), (1, 0), (2, 0.05), (3, 0.1), (8, 3), (10_000, 3)])
def test_waits_double_up_to_a_few_seconds(quick_ends: int, seconds: float) -> None:
    assert backoff_s(quick_ends) == seconds


def test_an_exit_code_is_described() -> None:
    assert how_it_ended(-signal.SIGTERM) == "killed by SIGTERM"
    assert how_it_ended(1) == "status 1"


def test_an_end_is_reported_to_the_registry(redis_url: str) -> None:
    settings, who = Settings(redis_url=redis_url), Identity("h/0/0", "abc")

    async def count_workers() -> int:
        async with open_store(settings) as store:
            return len(await store.workers.all())

    async def register() -> None:
        async with open_store(settings) as store:
            await store.workers.register(who.name, who.instance)

    asyncio.run(register())
    assert asyncio.run(count_workers()) == 1
    report_end(settings, who)
    assert asyncio.run(count_workers()) == 0


def test_the_process_that_forks_has_one_thread() -> None:
    """A fork copies only the calling thread; a lock that another thread holds would never be released."""
    code = "import workers.service, os; print(len(os.listdir('/proc/self/task')))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "1\n"


def test_services_of_one_host_have_different_names_and_keep_them(tmp_path: Path) -> None:
    with identity.service_names("one", 2, tmp_path) as first, identity.service_names("one", 1, tmp_path) as second:
        assert len({*first, *second}) == 3
        with identity.service_names("another", 2, tmp_path) as other:
            assert other == first, "the numbers of another installation are independent"
    with identity.service_names("one", 2, tmp_path) as again:
        assert again == first


def test_a_folder_that_takes_no_locks_leaves_names_that_are_unique(tmp_path: Path) -> None:
    with identity.service_names("one", 1, tmp_path / "missing") as names:
        assert names == [f"{identity.host()}/pid{os.getpid()}/0"]


def test_a_process_without_a_supervisor_is_named_by_its_id() -> None:
    unsupervised = identity.own_identity({})
    assert unsupervised.name == f"{identity.host()}/{os.getpid()}"
    own = identity.own_identity({identity.NAME_VARIABLE: "h/0/1", identity.INSTANCE_VARIABLE: "abc"})
    assert own == Identity("h/0/1", "abc")
