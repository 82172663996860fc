"""The product with any number of schedulers and worker services, each of which a bench can kill and start again."""

import os
import random
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks.cluster import bench_cluster, draft
from benchmarks.recipients import write_csv
from benchmarks.setting import Setting
from dispatcher.local.services import PROGRAM
from dispatcher.local.supervisor import Process

#: the emulator's calls end quickly, so that callbacks come at the rate of the sends
_SPEED = 20
#: size of the emulator's bucket, seconds of its rate
_BURST_S = 0.25


class RecoveryCluster:
    """Web, Redis and the emulator, and beside them services that can be killed. Use it with ``with``.

    A service that is killed does not come back by itself: ``start`` it.
    """

    def __init__(
        self,
        setting: Setting,
        *,
        rate: int,
        services: int = 2,
        processes: int = 1,
        schedulers: int = 1,
        scenario: str = "",
        policy: Path | None = None,
    ) -> None:
        folder = setting.new_folder("recovery")
        (folder / "scenario.toml").write_text(scenario)
        options = ["--rate", str(rate), "--burst", str(round(rate * _BURST_S)), "--speed", str(_SPEED)]
        env = {"BULKFAX_SINCH__RATE_PER_SECOND": str(rate), "BULKFAX_WORKER_PROCESSES": str(processes)}
        if policy is not None:
            env["BULKFAX_POLICY_FILE"] = str(policy.resolve())
        self.rate = rate
        self.local = bench_cluster(
            folder,
            services=("web",),
            emulator_options=[*options, "--scenario", str(folder / "scenario.toml")],
            settings=env,
        )
        self._counts = {"scheduler": schedulers, "worker": services}
        self.schedulers: list[Process] = []
        self.workers: list[Process] = []

    def __enter__(self) -> Self:
        self.local.__enter__()
        try:
            self.schedulers = self._started("scheduler")
            self.workers = self._started("worker")
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    @property
    def web(self) -> Process:
        return self.local.processes["web"]

    def send(self, jobs: int) -> None:
        """Start a batch of so many recipients. Returns when its first fax is accepted."""
        path = self.local.folder / "recipients.csv"
        write_csv(path, jobs)
        with self.local.client() as client:
            client.start(draft(client, "recovery", path).id)
        self.local.wait(lambda: self.local.emulator_api.stats()["accepted"] > 0, 60.0, "no fax was sent")

    def kill_redis(self) -> None:
        """Kill the server and start it again with what it has on disk."""
        os.kill(self.local.server.pid, signal.SIGKILL)
        self.local.wait(lambda: not self.local.server.running, 10.0, "Redis did not end")
        self.local.server.start()

    def kill_any_of_a_worker(self, chance: random.Random) -> None:
        """Kill the supervisor or a child of a worker service; a supervisor is started again at once."""
        worker = chance.choice(self.workers)
        victim = chance.choice([worker.pid, *_children(worker.pid)])
        os.kill(victim, signal.SIGKILL)
        if victim == worker.pid:
            self.wait_until_gone(worker)
            worker.start()

    def replace_workers(self, **env: str) -> None:
        """Kill the workers, and start others with further settings."""
        kill([worker for worker in self.workers if worker.running])
        for worker in self.workers:
            worker.stop()
        self.workers = self._started("worker", env)

    def wait_until_gone(self, process: Process, within_s: float = 40.0) -> None:
        self.local.wait(lambda: not process.running, within_s, f"{process.name} did not end")

    def _started(self, program: str, env: Mapping[str, str] | None = None) -> list[Process]:
        processes = [self._process(program, place, env or {}) for place in range(self._counts[program])]
        for process in processes:
            process.start()
        return processes

    def _process(self, program: str, place: int, more: Mapping[str, str]) -> Process:
        name = f"{program}-{place + 1}"
        env = {**self.local.env, **more}
        return Process(name, [*PROGRAM, program], env=env, cwd=self.local.folder, log=self.local.folder / f"{name}.log")

    def _stop(self) -> None:
        started: Sequence[Process] = [*self.schedulers, *self.workers]
        for process in started:
            process.ask_to_stop()
        for process in started:
            process.stop()
        self.local.stop()


def kill(processes: Sequence[Process]) -> None:
    """Kill processes with all that they started."""
    for process in processes:
        os.killpg(process.pid, signal.SIGKILL)


def restart(process: Process) -> None:
    """Start one again that was killed."""
    process.stop()
    process.start()


def _children(pid: int) -> list[int]:
    """Direct children that run now; none where the process has just ended."""
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
