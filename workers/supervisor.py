"""A supervisor that forks processes, restarts those that end, and whose processes end with it.

The modules are imported once, before the forks, so a restart takes less than a tenth of a second of processor time. The
processes do not depend on each other. Each holds the reading end of a pipe, the lifeline, that only the supervisor can
write to. When the supervisor ends, for whatever reason, they read the end of the file and stop.

A fork copies only the thread that calls it. Therefore the supervisor has one thread, no event loop and no connection.
To report the end of a process to the store, it forks another process.
"""

import contextlib
import os
import select
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import NoReturn

import structlog

from workers import identity
from workers.identity import Identity

#: minimum and maximum wait before a restart after consecutive quick ends; the wait doubles each time
MIN_BACKOFF_S, MAX_BACKOFF_S = 0.05, 3.0
#: a process that ran at least this long is restarted at once
STEADY_S = 3.0
#: how long a stopping supervisor waits for the reports of ended processes, in seconds
REPORT_TIMEOUT_S = 2.0
#: maximum seconds between two turns of the loop
_TURN_S = 1.0
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)
#: exit status of a process whose work raised an exception
_EXCEPTION_STATUS = 70

log = structlog.get_logger(__name__)


def backoff_s(quick_ends: int) -> float:
    """Return the wait before a restart after consecutive quick ends; the first restart is immediate."""
    if quick_ends <= 1:
        return 0.0
    return min(MAX_BACKOFF_S, MIN_BACKOFF_S * 2.0 ** min(quick_ends - 2, 16))


def _ignore(_: int) -> None:
    """Count nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SupervisorPlan:
    """The processes to keep running: one for each name."""

    names: Sequence[str]
    #: the work of a process; takes its identity and the reading end of the lifeline, and returns the exit status
    work: Callable[[Identity, int], int]
    #: reports to the store that a process has ended without doing so itself; runs in a separate process
    report_end: Callable[[Identity], None]
    #: seconds that a process may take to stop
    stop_s: float
    #: called at every turn of the supervisor's loop, at least once a second
    turn: Callable[[], None] = lambda: None
    #: the work of a process that exports metrics; takes the reading end of the lifeline. None: there is none
    export: Callable[[int], int] | None = None
    #: called before each start of a process, with its index in ``names``
    count_start: Callable[[int], None] = _ignore


@dataclass(slots=True)
class _Slot:
    """A process slot with a fixed name, and the process that currently fills it."""

    name: str
    #: takes the identity of the process and the reading end of the lifeline, and returns the exit status
    work: Callable[[Identity, int], int]
    #: the index of a worker process in the plan; None: it exports metrics
    index: int | None = None
    instance: str = ""
    #: process ID; 0 if no process is running
    pid: int = 0
    started_s: float = 0.0
    quick_ends: int = 0
    #: monotonic time of the next start
    restart_s: float = 0.0

    @property
    def identity(self) -> Identity:
        """Identity of the current process."""
        return Identity(self.name, self.instance)


@dataclass(slots=True)
class Supervisor:
    """Keeps the processes of a plan running.

    Call ``run`` once, on the main thread of a process without other threads.
    """

    plan: SupervisorPlan
    _slots: list[_Slot] = field(init=False)
    #: IDs of the processes that report the end of another
    _reporters: set[int] = field(default_factory=set)
    _stopping: bool = False
    #: reading and writing end of the lifeline
    _lifeline: int = -1
    _lifeline_writer: int = -1
    #: reading and writing end of the pipe that signals are written to
    _signal_reader: int = -1
    _signal_writer: int = -1

    def __post_init__(self) -> None:
        self._slots = [_Slot(name, self.plan.work, index) for index, name in enumerate(self.plan.names)]
        if self.plan.export:
            self._slots.append(_Slot("metrics", self._export))

    def run(self) -> None:
        """Run until SIGTERM or SIGINT, then stop all processes and wait for them."""
        self._lifeline, self._lifeline_writer = os.pipe()
        try:
            with self._signal_handlers():
                while not self._stopping:
                    self._start_due()
                    self._wait(self._next_restart_s())
                self._stop_all()
        finally:
            os.close(self._lifeline)
            os.close(self._lifeline_writer)

    @contextlib.contextmanager
    def _signal_handlers(self) -> Iterator[None]:
        """Install signal handlers that record a request to stop and wake ``_wait``."""
        self._signal_reader, self._signal_writer = os.pipe()
        os.set_blocking(self._signal_reader, False)
        os.set_blocking(self._signal_writer, False)
        before = {number: signal.signal(number, self._handle_signal) for number in _SIGNALS}
        wakeup = signal.set_wakeup_fd(self._signal_writer, warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(wakeup)
            for number, handler in before.items():
                signal.signal(number, handler)
            os.close(self._signal_reader)
            os.close(self._signal_writer)

    def _handle_signal(self, number: int, _: object) -> None:
        if number != signal.SIGCHLD:
            self._stopping = True

    def _wait(self, seconds: float) -> None:
        """Wait for a signal, at most for ``seconds`` and one turn, then collect the processes that have ended."""
        self.plan.turn()
        select.select([self._signal_reader], [], [], min(seconds, _TURN_S))
        with contextlib.suppress(BlockingIOError):
            os.read(self._signal_reader, 4096)
        self._collect_ended()

    def _start_due(self) -> None:
        for slot in self._slots:
            if not slot.pid and slot.restart_s <= time.monotonic():
                slot.instance, slot.started_s = identity.new_instance(), time.monotonic()
                if slot.index is not None:
                    self.plan.count_start(slot.index)
                slot.pid = self._fork(partial(slot.work, slot.identity, self._lifeline))

    def _next_restart_s(self) -> float:
        waits = [slot.restart_s - time.monotonic() for slot in self._slots if not slot.pid]
        return max(0.0, min(waits, default=_TURN_S))

    def _collect_ended(self) -> None:
        by_pid = {slot.pid: slot for slot in self._slots if slot.pid}
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            self._reporters.discard(pid)
            if slot := by_pid.get(pid):
                self._handle_end(slot, os.waitstatus_to_exitcode(status))

    def _handle_end(self, slot: _Slot, code: int) -> None:
        pid, slot.pid = slot.pid, 0
        if slot.index is not None and (code or not self._stopping):
            self._reporters.add(self._fork(partial(self._report, slot.identity)))
        if self._stopping:
            return
        now_s = time.monotonic()
        slot.quick_ends = 1 if now_s - slot.started_s >= STEADY_S else slot.quick_ends + 1
        wait_s = backoff_s(slot.quick_ends)
        slot.restart_s = now_s + wait_s
        log.error(
            "a worker process ended and is started again",
            worker=slot.name,
            pid=pid,
            how=how_it_ended(code),
            wait_s=wait_s,
        )

    def _stop_all(self) -> None:
        for slot in self._slots:
            if slot.pid:
                os.kill(slot.pid, signal.SIGTERM)
        self._wait_until(lambda: not any(slot.pid for slot in self._slots), self.plan.stop_s)
        for slot in self._slots:
            if slot.pid:
                log.error("a worker process did not stop in time and is killed", worker=slot.name, pid=slot.pid)
                os.kill(slot.pid, signal.SIGKILL)
        self._wait_until(lambda: not any(slot.pid for slot in self._slots), self.plan.stop_s)
        self._wait_until(lambda: not self._reporters, REPORT_TIMEOUT_S)

    def _wait_until(self, done: Callable[[], bool], seconds: float) -> None:
        end_s = time.monotonic() + seconds
        self._collect_ended()
        while not done() and (left_s := end_s - time.monotonic()) > 0:
            self._wait(left_s)

    def _export(self, _: Identity, lifeline: int) -> int:
        assert self.plan.export is not None
        return self.plan.export(lifeline)

    def _report(self, ended: Identity) -> int:
        self.plan.report_end(ended)
        return 0

    def _fork(self, work: Callable[[], int]) -> int:
        """Fork a process that does the work and exits; return its ID."""
        # a signal right after the fork would be handled by the copied handlers and lost
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        pid = os.fork()
        if not pid:
            self._run_child(work)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        return pid

    def _run_child(self, work: Callable[[], int]) -> NoReturn:
        """Do the work in a forked process and exit; signal handlers and pipes of the supervisor are not inherited."""
        code = _EXCEPTION_STATUS
        try:
            signal.set_wakeup_fd(-1)
            for number in _SIGNALS:
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
            for descriptor in (self._lifeline_writer, self._signal_reader, self._signal_writer):
                os.close(descriptor)
            code = work()
        except BaseException:  # the caller of the supervisor must not continue in two processes
            log.critical("an error ends a worker process", exc_info=True)
        finally:
            os._exit(code)


def how_it_ended(code: int) -> str:
    """Describe an exit code, for example ``killed by SIGKILL`` or ``status 1``."""
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"status {code}"
