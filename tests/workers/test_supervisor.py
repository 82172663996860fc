"""The supervisor keeps independent processes running, and none of them outlives it."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from dispatcher.registry import open_registry
from dispatcher.settings import Settings
from tests.cli.watching import gone, until
from workers import identity, supervisor
from workers.identity import Identity
from workers.supervisor import Plan, backoff_s, supervise

pytestmark = pytest.mark.anyio

#: notes its process id and its identity, and waits until it is asked to stop or the supervisor is gone
CHILD = """
import os, select, signal, sys
from pathlib import Path
folder, lifeline = Path(sys.argv[1]), int(sys.argv[sys.argv.index("--lifeline") + 1])
asked, ask = os.pipe()
signal.signal(signal.SIGTERM, lambda *_: os.write(ask, b"x"))
note = folder / f"{os.getpid()}"
draft = note.with_suffix(".draft")
draft.write_text(os.environ["BULKFAX_WORKER_NAME"] + " " + os.environ["BULKFAX_WORKER_INSTANCE"])
draft.rename(note)
select.select([asked, lifeline], [], [])
"""
STUBBORN = CHILD.replace("select.select([asked, lifeline], [], [])", "signal.pause(); signal.pause()")
SHORT = "import sys; sys.exit(3)"


def program(code: str, folder: Path) -> list[str]:
    return [sys.executable, "-S", "-c", code, str(folder)]


def identities(folder: Path) -> dict[int, Identity]:
    """By process id, of all that have got so far."""
    notes = [path for path in folder.iterdir() if path.name.isdigit()]
    return {int(path.name): Identity(*path.read_text().split()) for path in notes}


async def soon(folder: Path, processes: int) -> dict[int, Identity]:
    async with asyncio.timeout(20):
        while len(identities(folder)) < processes:  # noqa: ASYNC110  # other processes write the notes
            await asyncio.sleep(0.01)
    return identities(folder)


@asynccontextmanager
async def supervised(plan: Plan) -> AsyncIterator[None]:
    stop = asyncio.Event()
    running = asyncio.create_task(supervise(plan, stop))
    try:
        yield
    finally:
        stop.set()
        await running


async def test_a_process_that_dies_is_started_again_at_once_and_the_others_go_on(tmp_path: Path) -> None:
    ends: list[Identity] = []

    async def report(who: Identity) -> None:
        ends.append(who)

    plan = Plan(names=["a", "b"], stop_s=5, program=program(CHILD, tmp_path), report_end=report)
    with capture_logs() as said:
        async with supervised(plan):
            before = await soon(tmp_path, 2)
            victim = next(pid for pid, who in before.items() if who.name == "a")
            os.kill(victim, signal.SIGKILL)
            after = await soon(tmp_path, 3)
            new = after[next(pid for pid in after if pid not in before)]
            assert (new.name, ends) == ("a", [before[victim]])
            assert new.instance != before[victim].instance
            assert not any(gone(pid) for pid in before if pid != victim)
    assert [(line["worker"], line["how"], line["wait_s"]) for line in said] == [("a", "killed by SIGKILL", 0.0)]
    assert all(gone(pid) for pid in identities(tmp_path))
    assert sorted(who.name for who in ends) == ["a", "a", "b"]


async def test_a_process_that_does_not_stop_in_time_is_killed(tmp_path: Path) -> None:
    with capture_logs() as said:
        async with supervised(Plan(names=["a"], stop_s=0.1, program=program(STUBBORN, tmp_path))):
            pid = next(iter(await soon(tmp_path, 1)))
    assert gone(pid)
    assert [line["event"] for line in said] == ["a worker process did not stop in time and is killed"]


async def test_what_dies_at_once_again_and_again_is_started_ever_later(tmp_path: Path) -> None:
    with capture_logs() as said:
        async with supervised(Plan(names=["a"], stop_s=1, program=program(SHORT, tmp_path))), asyncio.timeout(20):
            while len(said) < 4:  # noqa: ASYNC110  # other processes end
                await asyncio.sleep(0.01)
    assert [line["wait_s"] for line in said[:4]] == [0.0, 0.05, 0.1, 0.2]
    assert {line["how"] for line in said} == {"status 3"}


@pytest.mark.parametrize(("deaths", "seconds"), [(0, 0), (1, 0), (2, 0.05), (3, 0.1), (8, 3), (10_000, 3)])
def test_waits_double_up_to_a_few_seconds(deaths: int, seconds: float) -> None:
    assert backoff_s(deaths) == seconds


async def test_a_report_that_fails_keeps_nobody_from_being_started_again(tmp_path: Path) -> None:
    async def report(_: Identity) -> None:
        raise OSError("the network is away")

    with capture_logs() as said:
        async with supervised(Plan(names=["a"], stop_s=5, program=program(CHILD, tmp_path), report_end=report)):
            os.kill(next(iter(await soon(tmp_path, 1))), signal.SIGKILL)
            await soon(tmp_path, 2)
    assert "the network is away" in {line.get("error") for line in said}


@contextmanager
def started(folder: Path, redis_url: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A supervisor as a process of its own, with two children."""
    words = ["-m", "workers.supervisor", "--processes", "2", "--stop-s", "5", "--", *program(CHILD, folder)]
    running = subprocess.Popen([sys.executable, *words], env={**os.environ, "BULKFAX_REDIS_URL": redis_url})
    try:
        until(lambda: len(identities(folder)) == 2)
        yield running
    finally:
        running.kill()
        running.wait()


def test_processes_end_when_their_supervisor_is_killed(tmp_path: Path, redis_url: str) -> None:
    with started(tmp_path, redis_url):
        pass
    until(lambda: all(gone(child) for child in identities(tmp_path)))


async def test_the_end_of_a_process_is_reported_to_the_registry(tmp_path: Path, redis_url: str) -> None:
    with started(tmp_path, redis_url):
        async with open_registry(Settings(redis_url=redis_url)) as registry:
            pid, who = next(iter(identities(tmp_path).items()))
            await registry.register(who.name, who.instance)
            os.kill(pid, signal.SIGKILL)
            async with asyncio.timeout(10):
                while await registry.all():  # noqa: ASYNC110  # the supervisor reports it
                    await asyncio.sleep(0.01)


def test_settings_that_are_wrong_are_a_sentence() -> None:
    words = [sys.executable, "-m", "workers.supervisor"]
    environment = {**os.environ, "BULKFAX_REDIS_URL": "nonsense"}
    ended = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr.count("\n")) == (1, 1)
    assert ended.stderr.startswith("worker: BULKFAX_REDIS_URL: ")


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


def test_a_death_has_a_name() -> None:
    assert supervisor.how_it_ended(-signal.SIGTERM) == "killed by SIGTERM"
    assert supervisor.how_it_ended(1) == "status 1"
