"""Processes that run side by side on one machine: started, watched, restarted, and stopped with all their children.

Each process leads a process group of its own. The workers of a supervisor that is killed stop by themselves, which may
take as long as their calls; ending the group is the only way to be sure that nothing is left.
"""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from dispatcher.cli.failure import CommandFailed

#: how long a process may take to finish what it holds: a begun POST has its hard total time
STOP_TIMEOUT_S = 30.0
#: waits before restarts: doubled from the first to the last
FIRST_BACKOFF_S = 0.5
LAST_BACKOFF_S = 30.0
#: who ran this long before it died starts again at the first wait
STEADY_S = 60.0
_LOOK_S = 0.1


class ManagedProcess(Protocol):
    """Something that runs: a process, or the embedded server."""

    @property
    def name(self) -> str: ...
    @property
    def running(self) -> bool: ...

    def start(self) -> None:
        """Raises Failure when it cannot be started."""

    def ask_to_stop(self) -> None: ...
    def stop(self) -> None: ...
    def how_it_ended(self) -> str: ...
    def last_words(self) -> str: ...


class Process:
    """One child process and all that it starts. ``log`` None: it writes where we write."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: Path | None = None,
        log: Path | None = None,
    ) -> None:
        self.name = name
        self._command = list(command)
        self._env = dict(env)
        self._cwd = cwd
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._asked = False

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Process id of the latest start, which is its group's id too."""
        assert self._process is not None, "not started"
        return self._process.pid

    def start(self) -> None:
        """Start it, or start it again after it died; what is left of the earlier group is killed first."""
        self._kill_group()
        self._asked = False
        log = self._log.open("ab") if self._log else None
        try:
            self._process = subprocess.Popen(  # noqa: S603  # our own commands
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT if log else None,
                env=self._env,
                cwd=self._cwd,
                start_new_session=True,
            )
        finally:
            if log:
                log.close()

    def ask_to_stop(self) -> None:
        """SIGTERM to the leader alone, and only once."""
        if self._process is not None and self.running and not self._asked:
            self._asked = True
            self._process.terminate()

    def stop(self) -> None:
        """Ask, wait, and then kill what is left of the group."""
        self.ask_to_stop()
        if self._process is not None:
            try:
                self._process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._kill_group()

    def how_it_ended(self) -> str:
        code = self._process.poll() if self._process else None
        if code is None:
            return "still runs"
        return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"

    def last_words(self) -> str:
        """The last line of its log; without one people have read it already."""
        lines = self._log.read_text(errors="replace").split("\n") if self._log and self._log.is_file() else []
        return next((line.strip() for line in reversed(lines) if line.strip()), "")

    def _kill_group(self) -> None:
        if self._process is not None:
            try:
                os.killpg(self._process.pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                return  # nobody left; macOS says PermissionError for a group of zombies


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Put off Ctrl-C and SIGTERM until the end of the block: an exception between the start of a process and
    the note of it would leave it running for ever. Other threads than the main one are never interrupted."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    handlers = {
        number: signal.signal(number, lambda n, _: came.append(n)) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    for interruption in came[:1]:
        signal.raise_signal(interruption)


@contextmanager
def terminated_cleanly() -> Iterator[None]:
    """SIGTERM ends us as Ctrl-C does: with everything that was started."""

    def end(_signal: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def backoff_s(deaths: int) -> float:
    """Seconds before restart number ``deaths`` in a row, from 1."""
    return min(LAST_BACKOFF_S, FIRST_BACKOFF_S * 2.0 ** min(deaths - 1, 16))


@dataclass(slots=True)
class _Run:
    """How one part has been doing."""

    part: ManagedProcess
    started_s: float = 0.0
    deaths: int = 0
    #: when it is started again; None while it runs
    restart_s: float | None = None


class LocalSupervisor:
    """Starts parts in their order, restarts who dies, stops them in the opposite order. ``say`` tells people.

    A part that ran for ``steady_s`` seconds before it died starts again at the first wait.
    """

    def __init__(
        self, parts: Sequence[ManagedProcess], say: Callable[[str], None], *, steady_s: float = STEADY_S
    ) -> None:
        self._runs = [_Run(part) for part in parts]
        self._say = say
        self._steady_s = steady_s

    def start(self) -> None:
        """Raises Failure when a part cannot be started; the ones started before are for ``stop``."""
        for run in self._runs:
            self._start(run)

    def first_dead(self) -> ManagedProcess | None:
        """The first part that does not run, in the order of starting."""
        return next((run.part for run in self._runs if not run.part.running), None)

    def watch(self, stop: threading.Event) -> None:
        """Keep all parts running until ``stop`` is set."""
        while not stop.wait(_LOOK_S):
            for run in self._runs:
                self._look(run, time.monotonic())

    def stop(self) -> None:
        """Stop everything. A signal that interrupts this leaves nothing running either: call it again."""
        parts = [run.part for run in reversed(self._runs)]
        for part in parts:
            part.ask_to_stop()
        for part in parts:
            part.stop()

    def _start(self, run: _Run) -> None:
        run.part.start()
        run.started_s, run.restart_s = time.monotonic(), None

    def _look(self, run: _Run, now_s: float) -> None:
        if run.restart_s is not None:
            if now_s >= run.restart_s:
                self._restart(run, now_s)
        elif not run.part.running:
            steady = now_s - run.started_s >= self._steady_s
            run.deaths = 1 if steady else run.deaths + 1
            self._put_off(run, now_s, run.part.how_it_ended())

    def _restart(self, run: _Run, now_s: float) -> None:
        try:
            self._start(run)
        except CommandFailed as error:
            run.deaths += 1
            self._put_off(run, now_s, f"could not be started: {error}")
        else:
            self._say(f"{run.part.name} runs again")

    def _put_off(self, run: _Run, now_s: float, what_happened: str) -> None:
        wait_s = backoff_s(run.deaths)
        run.restart_s = now_s + wait_s
        self._say(f"{run.part.name} {what_happened}; starting it again in {wait_s:g} s")
