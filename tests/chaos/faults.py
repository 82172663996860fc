"""Carries out a plan on running processes. Every process that is hit was started by the drill and is hit by its id."""

import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from dispatcher.cli.processes import Process
from dispatcher.store.errors import StoreError
from tests.chaos.cluster import Crew
from tests.chaos.plan import Act, Deed, Freeze, Kill, ProviderAway, Victim
from tests.cli.watching import descendants

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Frozen:
    process: Process
    pid: int
    until_s: float


class Acts:
    """Does what is due. ``done`` counts deeds by their kind."""

    def __init__(self, crew: Crew, plan: Sequence[Act], say: Say) -> None:
        self._crew = crew
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
        """Let go on who was frozen long enough, and do the next deed if it is due and its victim there."""
        now_s = time.monotonic()
        self._thaw(lambda frozen: frozen.until_s <= now_s)
        if self.all_done:
            return
        act = self._plan[self._next]
        if progress >= act.moment.progress and now_s >= self._last_s + act.moment.pause_s and self._do(act.deed):
            self._next += 1
            self._last_s = time.monotonic()

    def end(self) -> None:
        """Let all go on."""
        self._thaw(lambda _: True)

    def _do(self, deed: Deed) -> bool:
        match deed:
            case Kill():
                return self._kill(deed)
            case Freeze():
                return self._freeze(deed)
            case ProviderAway():
                self._crew.provider_away(deed.how, deed.seconds)
                return self._did(f"provider away {deed.how}", f"for {deed.seconds:.1f} s")

    def _kill(self, deed: Kill) -> bool:
        pid = self._pid(deed)
        if pid is None:
            return False
        os.kill(pid, signal.SIGKILL)
        return self._did(f"kill {deed.victim}", f"process {pid}")

    def _freeze(self, deed: Freeze) -> bool:
        process = self._worker(deed.place)
        if not process.running or _child(process) is None or any(one.process is process for one in self._frozen):
            return False
        os.killpg(process.pid, signal.SIGSTOP)
        until_s = time.monotonic() + deed.seconds
        self._frozen.append(_Frozen(process=process, pid=process.pid, until_s=until_s))
        return self._did("freeze worker", f"process {process.pid} for {deed.seconds:.1f} s")

    def _thaw(self, chosen: Callable[[_Frozen], bool]) -> None:
        for one in [frozen for frozen in self._frozen if chosen(frozen)]:
            self._frozen.remove(one)
            # killed in the meantime, its id may be somebody else's
            if one.process.running and one.process.pid == one.pid:
                os.killpg(one.pid, signal.SIGCONT)
                self._say(f"process {one.pid} goes on")

    def _pid(self, deed: Kill) -> int | None:
        """The process to be killed; None while it does not run."""
        worker = self._worker(deed.place)
        match deed.victim:
            case Victim.REDIS:
                return self._redis_pid()
            case Victim.WORKER_PROCESS:
                return _child(worker) if worker.running else None
            case Victim.WORKER_SUPERVISOR:
                process = worker
            case Victim.WEB:
                process = self._crew.web
            case Victim.SCHEDULER:
                process = self._crew.scheduler
        return process.pid if process.running else None

    def _redis_pid(self) -> int | None:
        try:
            return self._crew.site.server.pid if self._crew.site.server.running else None
        except StoreError:
            return None

    def _worker(self, place: int) -> Process:
        return self._crew.workers[place % len(self._crew.workers)]

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
