"""Injects the faults of a plan into running processes, which the drill has started, by their process ids."""

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
from tests.chaos.plan import Fault, Freeze, Kill, PlannedFault, ProviderOutage, Target
from tests.local.watching import descendants

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Frozen:
    """A frozen worker."""

    process: Process
    pid: int
    until_s: float


class FaultInjector:
    """Injects the faults of a plan when they are due. ``done`` counts injected faults by kind."""

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
        """The progress of the next fault, up to which the producer may go on; 1.0 if no fault is left."""
        return self._plan[self._next].moment.progress if self._next < len(self._plan) else 1.0

    @property
    def kills(self) -> int:
        """The number of processes killed so far."""
        return sum(count for kind, count in self.done.items() if kind.startswith("kill"))

    @property
    def all_done(self) -> bool:
        """Whether every fault of the plan has been injected."""
        return self._next == len(self._plan)

    def step(self, progress: float) -> None:
        """Thaw workers whose time is over, and inject the next fault if it is due and its target is running."""
        now_s = time.monotonic()
        self._thaw(lambda frozen: frozen.until_s <= now_s)
        if self.all_done:
            return
        planned = self._plan[self._next]
        due = progress >= planned.moment.progress and now_s >= self._last_s + planned.moment.pause_s
        if due and self._inject(planned.fault):
            self._next += 1
            self._last_s = time.monotonic()

    def end(self) -> None:
        """Thaw all frozen workers."""
        self._thaw(lambda _: True)

    def _inject(self, fault: Fault) -> bool:
        match fault:
            case Kill():
                return self._kill(fault)
            case Freeze():
                return self._freeze(fault)
            case ProviderOutage():
                self._cluster.local.emulator_api.begin_outage(fault.kind, fault.seconds)
                return self._record(f"provider away {fault.kind}", f"for {fault.seconds:.1f} s")

    def _kill(self, kill: Kill) -> bool:
        pid = self._pid(kill)
        if pid is None:
            return False
        os.kill(pid, signal.SIGKILL)
        return self._record(f"kill {kill.target}", f"process {pid}")

    def _freeze(self, freeze: Freeze) -> bool:
        process = self._worker(freeze.index)
        if not process.running or _child(process) is None or any(frozen.process is process for frozen in self._frozen):
            return False
        os.killpg(process.pid, signal.SIGSTOP)
        until_s = time.monotonic() + freeze.seconds
        self._frozen.append(_Frozen(process=process, pid=process.pid, until_s=until_s))
        return self._record("freeze worker", f"process {process.pid} for {freeze.seconds:.1f} s")

    def _thaw(self, is_over: Callable[[_Frozen], bool]) -> None:
        for frozen in [frozen for frozen in self._frozen if is_over(frozen)]:
            self._frozen.remove(frozen)
            # if it was killed meanwhile, another process may have its id
            if frozen.process.running and frozen.process.pid == frozen.pid:
                os.killpg(frozen.pid, signal.SIGCONT)
                self._say(f"process {frozen.pid} continues")

    def _pid(self, kill: Kill) -> int | None:
        """Return the id of the process to kill; None while it is not running."""
        worker = self._worker(kill.index)
        match kill.target:
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

    def _worker(self, index: int) -> Process:
        return self._cluster.workers[index % len(self._cluster.workers)]

    def _record(self, kind: str, how: str) -> bool:
        self.done[kind] += 1
        self._say(f"{kind}: {how}")
        return True


def _child(worker: Process) -> int | None:
    """Return the id of the process in which a worker's threads run; None before it has started."""
    try:
        return next((pid for pid in descendants(worker.pid) if _threads(pid) > 2), None)
    except FileNotFoundError:
        return None  # a process ended meanwhile


def _threads(pid: int) -> int:
    return sum(1 for _ in Path(f"/proc/{pid}/task").iterdir())
