"""Starts child processes: few at a time, each with limits, and none that outlives its caller."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from tempfile import TemporaryFile
from typing import IO, Any

import structlog

from dispatcher.child_process.__main__ import OUT_OF_MEMORY, TOO_MUCH_OUTPUT, UNEXPECTED

__all__ = ["ChildFailed", "ChildLimits", "ChildProcesses", "Ending"]

#: child processes at the same time; others wait for their turn
AT_ONCE = 2
#: bytes of what an unexpected error has left
_PLACE_BYTES = 200
_log = structlog.get_logger()


class Ending(Enum):
    """Why a child process has no result."""

    TIME = "time"
    MEMORY = "memory"
    OUTPUT = "output"
    CRASH = "crash"


class ChildFailed(Exception):
    """Raised when a child process ended without a result. Others are not affected."""

    def __init__(self, ending: Ending, status: int) -> None:
        super().__init__(f"{ending.value} (exit status {status})")
        self.ending = ending


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildLimits:
    """What a child process may use."""

    memory_bytes: int = 512 * 1024 * 1024
    #: of wall time, and of processor time as well. With start and end of the process, less than 10 s on a busy machine
    seconds: int = 9
    output_bytes: int = 1_000_000


class ChildProcesses:
    """The child processes of this process."""

    def __init__(self, at_once: int = AT_ONCE) -> None:
        self._turns = asyncio.Semaphore(at_once)

    async def answer(
        self, task: str, source: IO[bytes], *arguments: str, limits: ChildLimits = ChildLimits()
    ) -> dict[str, Any]:
        """Return the JSON object that a task has written. See ``run``."""
        answer, _ = await self.answer_and_file(task, source, *arguments, limits=limits)
        return answer

    async def answer_and_file(
        self, task: str, source: IO[bytes], *arguments: str, limits: ChildLimits = ChildLimits()
    ) -> tuple[dict[str, Any], bytes]:
        """Return the JSON object that a task has written as its first line, and what follows it. See ``run``."""
        with TemporaryFile(buffering=0) as output:
            await self.run(task, source, output, *arguments, limits=limits)
            output.seek(0)
            line, _, file = output.read().partition(b"\n")
        answer: dict[str, Any] = json.loads(line)
        return answer, file

    async def run(
        self,
        task: str,
        source: IO[bytes],
        output: IO[bytes],
        *arguments: str,
        limits: ChildLimits = ChildLimits(),
    ) -> None:
        """Let a task read ``source`` and write ``output`` in a process of its own. If this is cancelled, it is killed.

        Args:
            task: Name of a module with a function ``run(source, output, *arguments)``.
            source: A file of the system. The task reads it from its beginning; its position here stays what it is.
            output: A file of the system without a buffer, empty.
            arguments: Passed to the task. Everybody on the machine can read them, so nothing secret belongs here.
            limits: What the process may use.

        Raises:
            ChildFailed: It crashed or reached a limit.
        """
        async with self._turns:
            with _from_the_beginning(source):
                process = await asyncio.create_subprocess_exec(
                    *_command(task, arguments, limits),
                    stdin=source,
                    stdout=output,
                    stderr=asyncio.subprocess.DEVNULL,
                    env={},
                    cwd="/",
                    close_fds=True,
                    start_new_session=True,
                )
                status = await _ended(process, limits.seconds)
        if status:
            output.seek(0)
            place = output.read(_PLACE_BYTES).decode(errors="replace") if status == UNEXPECTED else ""
            _log.warning("child_failed", task=task, status=status, place=place)
            raise ChildFailed(_ending(status), status)


@contextmanager
def _from_the_beginning(file: IO[bytes]) -> Iterator[None]:
    """Let a child read a file from its beginning. It moves the position that it shares with this process."""
    descriptor = file.fileno()
    file.flush()
    position = os.lseek(descriptor, 0, os.SEEK_CUR)
    os.lseek(descriptor, 0, os.SEEK_SET)
    try:
        yield
    finally:
        os.lseek(descriptor, position, os.SEEK_SET)


def _command(task: str, arguments: tuple[str, ...], limits: ChildLimits) -> list[str]:
    cache = [] if sys.pycache_prefix is None else ["-X", f"pycache_prefix={sys.pycache_prefix}"]
    numbers = map(str, (limits.memory_bytes, limits.seconds, limits.output_bytes))
    # isolated: neither the current folder nor variables decide what is imported
    return [sys.executable, "-I", *cache, "-m", "dispatcher.child_process", *numbers, task, *arguments]


async def _ended(process: asyncio.subprocess.Process, seconds: int) -> int:
    """Return the exit status of a process. It does not run any more, also if this is cancelled."""
    try:
        async with asyncio.timeout(seconds):
            return await process.wait()
    except TimeoutError:
        return -signal.SIGALRM
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def _ending(status: int) -> Ending:
    if -status in (signal.SIGALRM, signal.SIGXCPU):
        return Ending.TIME
    return {OUT_OF_MEMORY: Ending.MEMORY, TOO_MUCH_OUTPUT: Ending.OUTPUT}.get(status, Ending.CRASH)
