"""Carries out a plan on running processes. Every process that is hit was started by the drill and is hit by its id."""

import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from dispatcher.local.errors import ServerNotStarted
from dispatcher.local.supervisor import Process
from tests.chaos.cluster import ChaosCluster
from tests.chaos.plan import Fault, Freeze, Kill, PlannedFault, ProviderAway, Target
from tests.local.watching import descendants

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Frozen:
    process: Process
    pid: int
    until_s: float


class FaultInjector:
    """Carries out the faults of a plan when they are due. ``done`` counts them by kind."""

    def __init__(self, cluster: ChaosCluster, plan: Sequence[PlannedFault], say: Say) -> None:
        self._cluster = cluster
        self._plan = plan
        self._say = say
        self._next = 0
        self._last_s = time.monotonic()
        self._frozen: list[_Frozen] = []
        self.done: Counter[str] = Counter()

    @property
    def reached(self) -> float:
        """Up to which progress nothing is left to do."""
        return self._plan[self._next].moment.progress if self._next < len(self._plan) else 1.0

    @property
    def kills(self) -> int:
        return sum(count for kind, count in self.done.items() if kind.startswith("kill"))

    @property
    def all_done(self) -> bool:
        return self._next == len(self._plan)

    def step(self, progress: float) -> None:
        """Resume processes that were frozen long enough, and carry out the next fault if its time has come."""
        now_s = time.monotonic()
        self._thaw(lambda frozen: frozen.until_s <= now_s)
        if self.all_done:
            return
        planned = self._plan[self._next]
        if (
            progress >= planned.moment.progress
            and now_s >= self._last_s + planned.moment.pause_s
            and self._do(planned.fault)
        ):
            self._next += 1
            self._last_s = time.monotonic()

    def end(self) -> None:
        """Let all go on."""
        self._thaw(lambda _: True)

    def _do(self, fault: Fault) -> bool:
        match fault:
            case Kill():
                return self._kill(fault)
            case Freeze():
                return self._freeze(fault)
            case ProviderAway():
                self._cluster.local.emulator_api.begin_outage(fault.how, fault.seconds)
                return self._did(f"provider away {fault.how}", f"for {fault.seconds:.1f} s")

    def _kill(self, fault: Kill) -> bool:
        pid = self._pid(fault)
        if pid is None:
            return False
        os.kill(pid, signal.SIGKILL)
        return self._did(f"kill {fault.target}", f"process {pid}")

    def _freeze(self, fault: Freeze) -> bool:
        process = self._worker(fault.place)
        if not process.running or _child(process) is None or any(frozen.process is process for frozen in self._frozen):
            return False
        os.killpg(process.pid, signal.SIGSTOP)
        until_s = time.monotonic() + fault.seconds
        self._frozen.append(_Frozen(process=process, pid=process.pid, until_s=until_s))
        return self._did("freeze worker", f"process {process.pid} for {fault.seconds:.1f} s")

    def _thaw(self, chosen: Callable[[_Frozen], bool]) -> None:
        for frozen in [frozen for frozen in self._frozen if chosen(frozen)]:
            self._frozen.remove(frozen)
            # if it was killed meanwhile, another process may have its id
            if frozen.process.running and frozen.process.pid == frozen.pid:
                os.killpg(frozen.pid, signal.SIGCONT)
                self._say(f"process {frozen.pid} goes on")

    def _pid(self, fault: Kill) -> int | None:
        """The process to be killed; None while it does not run."""
        worker = self._worker(fault.place)
        match fault.target:
            case Target.REDIS:
                return self._redis_pid()
            case Target.WORKER_PROCESS:
                return _child(worker) if worker.running else None
            case Target.WORKER_SUPERVISOR:
                process = worker
            case Target.WEB:
                process = self._cluster.web
            case Target.SCHEDULER:
                process = self._cluster.scheduler
        return process.pid if process.running else None

    def _redis_pid(self) -> int | None:
        try:
            return self._cluster.local.server.pid if self._cluster.local.server.running else None
        except ServerNotStarted:
            return None

    def _worker(self, place: int) -> Process:
        return self._cluster.workers[place % len(self._cluster.workers)]

    def _did(self, kind: str, how: str) -> bool:
        self.done[kind] += 1
        self._say(f"{kind}: {how}")
        return True


def _child(worker: Process) -> int | None:
    """The process in which a worker's threads run; None while there is none yet."""
    try:
        return next((pid for pid in descendants(worker.pid) if _threads(pid) > 2), None)
    except FileNotFoundError:
        return None  # one of them ended just now


def _threads(pid: int) -> int:
    return sum(1 for _ in Path(f"/proc/{pid}/task").iterdir())
