"""A supervisor that forks its processes, keeps them running, and takes them with it.

All that they need is imported once, so one that dies is back within a tenth of a second of processor time. Each process
is independent: one that dies disturbs no other. Every process holds the reading end of a pipe that only the supervisor
can write to: when the supervisor is gone, however it ended, they read the end of the file and stop by themselves.

A fork copies the thread that calls it and no other. So the supervisor has one thread, no event loop and no connection;
what it has to tell the store is told by a process that it forks for this.
"""

import contextlib
import os
import select
import signal
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import NoReturn

import structlog

from workers import identity
from workers.identity import Identity

#: waits before restarts after quick deaths in a row: doubled from the first to the last
FIRST_BACKOFF_S, LAST_BACKOFF_S = 0.05, 3.0
#: a process that ran this long before it died is started again at once
STEADY_S = 3.0
#: how long a supervisor that stops waits until the end of its processes is reported
REPORT_S = 2.0
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)
#: exit status of a process whose work ended with an error that nobody expected
_BROKEN = 70

log = structlog.get_logger(__name__)


def backoff_s(quick_deaths: int) -> float:
    """Seconds before the next start after so many quick deaths in a row: none after the first."""
    if quick_deaths <= 1:
        return 0.0
    return min(LAST_BACKOFF_S, FIRST_BACKOFF_S * 2.0 ** min(quick_deaths - 2, 16))


@dataclass(frozen=True, slots=True, kw_only=True)
class SupervisorPlan:
    """What to keep running: one process for each name."""

    names: Sequence[str]
    #: what each process does, with its identity and the reading end of the lifeline; returns its exit status
    work: Callable[[Identity, int], int]
    #: tells the store that a process has ended without saying so; runs in a process of its own
    report_end: Callable[[Identity], None]
    #: seconds that a process may take to end when it is asked to
    stop_s: float


@dataclass(slots=True)
class _Child:
    """One place for a process, under one name."""

    name: str
    instance: str = ""
    #: process id; 0 while none runs
    pid: int = 0
    started_s: float = 0.0
    quick_deaths: int = 0
    #: when it is started again
    restart_s: float = 0.0

    @property
    def who(self) -> Identity:
        return Identity(self.name, self.instance)


@dataclass(slots=True)
class Supervisor:
    """Keeps the processes of a plan running; ``run`` it once, on the main thread of a process without other threads."""

    plan: SupervisorPlan
    _slots: list[_Child] = field(init=False)
    #: process ids of those that report
    _reporters: set[int] = field(default_factory=set)
    _stopping: bool = False
    #: the lifeline's reading end, and the end that keeps it open; a pipe that signals write to
    _lifeline: int = -1
    _held: int = -1
    _signalled: int = -1
    _signals: int = -1

    def __post_init__(self) -> None:
        self._slots = [_Child(name) for name in self.plan.names]

    def run(self) -> None:
        """Until SIGTERM or SIGINT; then every process is asked to stop and waited for."""
        self._lifeline, self._held = os.pipe()
        try:
            with self._listening():
                while not self._stopping:
                    self._start_due()
                    self._wait(self._next_restart_s())
                self._end()
        finally:
            os.close(self._lifeline)
            os.close(self._held)

    @contextlib.contextmanager
    def _listening(self) -> Iterator[None]:
        """Signals are seen when we look, never in the middle of something."""
        self._signalled, self._signals = os.pipe()
        os.set_blocking(self._signalled, False)
        os.set_blocking(self._signals, False)
        before = {number: signal.signal(number, self._note) for number in _SIGNALS}
        wakeup = signal.set_wakeup_fd(self._signals, warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(wakeup)
            for number, handler in before.items():
                signal.signal(number, handler)
            os.close(self._signalled)
            os.close(self._signals)

    def _note(self, number: int, _: object) -> None:
        if number != signal.SIGCHLD:
            self._stopping = True

    def _wait(self, seconds: float | None) -> None:
        """Until a signal comes, or so long; then see who has ended."""
        select.select([self._signalled], [], [], seconds)
        with contextlib.suppress(BlockingIOError):
            os.read(self._signalled, 4096)
        self._reap()

    def _start_due(self) -> None:
        for slot in self._slots:
            if not slot.pid and slot.restart_s <= time.monotonic():
                slot.instance, slot.started_s = identity.new_instance(), time.monotonic()
                slot.pid = self._fork(partial(self.plan.work, slot.who, self._lifeline))

    def _next_restart_s(self) -> float | None:
        waits = [slot.restart_s - time.monotonic() for slot in self._slots if not slot.pid]
        return max(0.0, min(waits)) if waits else None

    def _reap(self) -> None:
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
                self._ended(slot, os.waitstatus_to_exitcode(status))

    def _ended(self, slot: _Child, code: int) -> None:
        pid, slot.pid = slot.pid, 0
        if code or not self._stopping:
            self._reporters.add(self._fork(partial(self._report, slot.who)))
        if self._stopping:
            return
        now_s = time.monotonic()
        slot.quick_deaths = 1 if now_s - slot.started_s >= STEADY_S else slot.quick_deaths + 1
        wait_s = backoff_s(slot.quick_deaths)
        slot.restart_s = now_s + wait_s
        log.error(
            "a worker process ended and is started again",
            worker=slot.name,
            pid=pid,
            how=how_it_ended(code),
            wait_s=wait_s,
        )

    def _end(self) -> None:
        for slot in self._slots:
            if slot.pid:
                os.kill(slot.pid, signal.SIGTERM)
        self._wait_until(lambda: not any(slot.pid for slot in self._slots), self.plan.stop_s)
        for slot in self._slots:
            if slot.pid:
                log.error("a worker process did not stop in time and is killed", worker=slot.name, pid=slot.pid)
                os.kill(slot.pid, signal.SIGKILL)
        self._wait_until(lambda: not any(slot.pid for slot in self._slots), self.plan.stop_s)
        self._wait_until(lambda: not self._reporters, REPORT_S)

    def _wait_until(self, done: Callable[[], bool], seconds: float) -> None:
        end_s = time.monotonic() + seconds
        self._reap()
        while not done() and (left_s := end_s - time.monotonic()) > 0:
            self._wait(left_s)

    def _report(self, who: Identity) -> int:
        self.plan.report_end(who)
        return 0

    def _fork(self, work: Callable[[], int]) -> int:
        """A process that does this work and ends. Returns its id."""
        # a signal that came between the fork and the next lines would be noted by the copy and lost
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        pid = os.fork()
        if not pid:
            self._become(work)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        return pid

    def _become(self, work: Callable[[], int]) -> NoReturn:
        """The rest of a forked process's life. Nothing of the supervisor may run in it, nor be kept open by it."""
        code = _BROKEN
        try:
            signal.set_wakeup_fd(-1)
            for number in _SIGNALS:
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
            for descriptor in (self._held, self._signalled, self._signals):
                os.close(descriptor)
            code = work()
        except BaseException:  # noqa: BLE001  # whatever it is, what called the supervisor may not go on twice
            traceback.print_exc()
        finally:
            os._exit(code)


def how_it_ended(code: int) -> str:
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"status {code}"
