"""Starts processes on this machine, restarts them when they die, and stops them with all their children.

Each process leads a process group of its own. The worker service starts worker processes: if it is killed, these go on
until their requests are finished, so the whole group is killed.
"""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from dispatcher.local.errors import StartFailed

#: seconds that a process may take to finish its work: a POST that has begun runs up to its total time
STOP_TIMEOUT_S = 30.0
#: seconds before restarts: doubled from the first to the last
FIRST_BACKOFF_S = 0.5
LAST_BACKOFF_S = 30.0
#: a process that ran this many seconds before it died is restarted after the shortest wait
STABLE_AFTER_S = 60.0
_POLL_S = 0.1


class ManagedProcess(Protocol):
    """A process that a supervisor can start and stop: a child process or the embedded server."""

    @property
    def name(self) -> str: ...
    @property
    def running(self) -> bool: ...

    def start(self) -> None:
        """Start the process. Raises StartFailed."""

    def ask_to_stop(self) -> None: ...
    def stop(self) -> None: ...
    def how_it_ended(self) -> str: ...
    def last_words(self) -> str: ...


class Process:
    """A child process with everything that it starts.

    Args:
        name: Its name in messages.
        command: Program and arguments.
        env: The environment.
        cwd: Working directory; that of this process if None.
        log: File to which its output is appended; without one it writes to our output.
    """

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
        """The process id of the latest start, which is also the id of its process group."""
        assert self._process is not None, "not started"
        return self._process.pid

    def start(self) -> None:
        """Start the process, or start it again after it died; the rest of its former group is killed first."""
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
        except OSError as error:
            raise StartFailed(f"{self.name} cannot be started: {error}") from error
        finally:
            if log:
                log.close()

    def ask_to_stop(self) -> None:
        """Send SIGTERM to the leader of the group, and only once."""
        if self._process is not None and self.running and not self._asked:
            self._asked = True
            self._process.terminate()

    def stop(self) -> None:
        """Ask the process to stop, wait, and kill the rest of its group."""
        self.ask_to_stop()
        if self._process is not None:
            try:
                self._process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._kill_group()

    def how_it_ended(self) -> str:
        """Return how the process ended, as a predicate for a sentence."""
        code = self._process.poll() if self._process else None
        if code is None:
            return "still runs"
        return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"

    def last_words(self) -> str:
        """Return the last line of its log, or "" if it wrote to our output."""
        lines = self._log.read_text(errors="replace").split("\n") if self._log and self._log.is_file() else []
        return next((line.strip() for line in reversed(lines) if line.strip()), "")

    def _kill_group(self) -> None:
        if self._process is not None:
            try:
                os.killpg(self._process.pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                return  # none is left; macOS raises PermissionError for a group of zombies


def backoff_s(deaths: int) -> float:
    """Return the seconds to wait after a process died ``deaths`` times in a row."""
    return min(LAST_BACKOFF_S, FIRST_BACKOFF_S * 2.0 ** min(deaths - 1, 16))


@dataclass(slots=True)
class _Run:
    """The starts and deaths of one process."""

    process: ManagedProcess
    started_s: float = 0.0
    deaths: int = 0
    #: when it is started again; None while it runs
    restart_s: float | None = None


class LocalSupervisor:
    """Starts processes in order, restarts those that die, and stops them in reverse order.

    Args:
        processes: The processes, in the order in which they start.
        say: Receives a sentence for people about every death and restart.
        stable_after_s: Seconds of running after which a process that dies is restarted after the first wait again.
    """

    def __init__(
        self, processes: Sequence[ManagedProcess], say: Callable[[str], None], *, stable_after_s: float = STABLE_AFTER_S
    ) -> None:
        self._runs = [_Run(process) for process in processes]
        self._say = say
        self._stable_after_s = stable_after_s

    def start(self) -> None:
        """Start all processes.

        Raises:
            StartFailed: A process cannot be started. Call ``stop`` to stop those that were started before.
        """
        for run in self._runs:
            self._start(run)

    def first_dead(self) -> ManagedProcess | None:
        """Return the first process that does not run, in the order of their starts."""
        return next((run.process for run in self._runs if not run.process.running), None)

    def watch(self, stop: threading.Event) -> None:
        """Restart processes that die, until ``stop`` is set."""
        while not stop.wait(_POLL_S):
            for run in self._runs:
                self._check(run, time.monotonic())

    def stop(self) -> None:
        """Stop all processes. If a signal interrupts this, call it again."""
        processes = [run.process for run in reversed(self._runs)]
        for process in processes:
            process.ask_to_stop()
        for process in processes:
            process.stop()

    def _start(self, run: _Run) -> None:
        run.process.start()
        run.started_s, run.restart_s = time.monotonic(), None

    def _check(self, run: _Run, now_s: float) -> None:
        if run.restart_s is not None:
            if now_s >= run.restart_s:
                self._restart(run, now_s)
        elif not run.process.running:
            steady = now_s - run.started_s >= self._stable_after_s
            run.deaths = 1 if steady else run.deaths + 1
            self._schedule_restart(run, now_s, run.process.how_it_ended())

    def _restart(self, run: _Run, now_s: float) -> None:
        try:
            self._start(run)
        except StartFailed as error:
            run.deaths += 1
            self._schedule_restart(run, now_s, f"could not be started: {error}")
        else:
            self._say(f"{run.process.name} runs again")

    def _schedule_restart(self, run: _Run, now_s: float, what_happened: str) -> None:
        wait_s = backoff_s(run.deaths)
        run.restart_s = now_s + wait_s
        self._say(f"{run.process.name} {what_happened}; starting it again in {wait_s:g} s")
