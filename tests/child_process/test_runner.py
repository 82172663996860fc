"""Child processes: what they may use, and how they end."""

import asyncio
import os
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

import pytest

from dispatcher.child_process.runner import AT_ONCE, ChildFailed, ChildLimits, ChildProcesses, Ending

pytestmark = pytest.mark.anyio
TASK = "tests.child_process.task"
LIMITS = ChildLimits(memory_bytes=200_000_000, seconds=2, output_bytes=100_000)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def source() -> Iterator[IO[bytes]]:
    with TemporaryFile(buffering=0) as file:
        file.write(b"letter")
        yield file


def children() -> list[str]:
    """The child processes of a runner; other tests leave a Redis server running."""
    pids = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return [pid for pid in pids if b"dispatcher.child_process" in Path(f"/proc/{pid}/cmdline").read_bytes()]


async def until(count: int) -> None:
    """Wait until there are as many child processes."""
    while len(children()) < count:  # noqa: ASYNC110 - processes set no event
        await asyncio.sleep(0.01)


async def test_a_child_gets_its_input_and_arguments_and_nothing_else(
    source: IO[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BULKFAX_SINCH__KEY_SECRET", "canary")
    reading, writing = os.pipe()
    os.set_inheritable(reading, True)
    try:
        seen = await ChildProcesses().answer(TASK, source, "look", "a b", limits=LIMITS)
    finally:
        os.close(reading)
        os.close(writing)
    assert seen.pop("descriptors") in ([3], [])  # of the list of descriptors itself
    assert seen == {
        "input": "letter",
        "arguments": ["a b"],
        "environment": [],
        "folder": "/",
        "priority": min(os.nice(0) + 10, 19),
        "session": True,
        "limits": [[200_000_000] * 2, [2, 3], [100_000] * 2, [0, 0]],
    }


@pytest.mark.parametrize(
    ("deed", "ending"),
    [
        ("eat", Ending.MEMORY),
        ("write", Ending.OUTPUT),
        ("raise", Ending.CRASH),
        ("die", Ending.CRASH),
        ("sleep", Ending.TIME),
        ("burn", Ending.TIME),
    ],
)
async def test_a_child_that_goes_wrong_fails_alone_and_in_time(source: IO[bytes], deed: str, ending: Ending) -> None:
    processes, started = ChildProcesses(), time.monotonic()
    with pytest.raises(ChildFailed) as failure:
        await processes.answer(TASK, source, deed, limits=LIMITS)
    assert failure.value.ending is ending
    assert time.monotonic() - started < LIMITS.seconds + 1
    assert not children()
    assert (await processes.answer(TASK, source, "look"))["input"] == "letter"


async def test_the_log_names_the_place_of_an_error_but_not_its_text(
    source: IO[bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ChildFailed):
        await ChildProcesses().answer(TASK, source, "raise")
    log = "".join(capsys.readouterr())
    assert "ValueError at tests.child_process.task:" in log
    assert "555" not in log


async def test_a_child_dies_with_the_request_that_waits_for_it(source: IO[bytes]) -> None:
    processes = ChildProcesses(at_once=1)
    running = asyncio.create_task(processes.answer(TASK, source, "sleep"))
    await until(1)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert not children()
    assert (await processes.answer(TASK, source, "look"))["input"] == "letter"  # its turn is free again


async def test_only_a_few_run_at_a_time(source: IO[bytes]) -> None:
    processes = ChildProcesses()
    running = [asyncio.create_task(processes.answer(TASK, source, "sleep")) for _ in range(AT_ONCE + 2)]
    await until(AT_ONCE)
    assert len(children()) == AT_ONCE
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    assert not children()
