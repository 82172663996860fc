"""A cluster with any number of schedulers and worker services, each of which a benchmark can kill and restart."""

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
from dispatcher.local.ports import free_port
from dispatcher.local.services import PROGRAM
from dispatcher.local.supervisor import Process

#: speed of the emulator's calls; they end quickly, so that callbacks arrive at the rate of the sends
_SPEED = 20
#: size of the emulator's token bucket, in seconds of its rate
_BURST_S = 0.25


class RecoveryCluster:
    """Web, Redis and the emulator, and services that can be killed, as a context manager.

    A service that is killed is not restarted automatically.
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
        metrics: bool = False,
    ) -> None:
        """Create the cluster without starting it.

        Args:
            setting: The setting of the benchmark.
            rate: The account's limit in faxes per second.
            services: Number of worker services.
            processes: Number of processes of each worker service.
            schedulers: Number of schedulers.
            scenario: Scenario of the emulator (TOML).
            policy: Path of a policy file.
            metrics: Whether schedulers and workers export metrics.
        """
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
        names = [_name(program, index) for program, count in self._counts.items() for index in range(count)]
        self._metrics_ports = {name: free_port() for name in names} if metrics else {}
        self.schedulers: list[Process] = []
        self.workers: list[Process] = []

    def __enter__(self) -> Self:
        self.local.__enter__()
        try:
            self.schedulers = self._start_services("scheduler")
            self.workers = self._start_services("worker")
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
        """The web process."""
        return self.local.processes["web"]

    @property
    def metrics_addresses(self) -> list[str]:
        """Host and port at which schedulers and workers export their metrics."""
        return [f"127.0.0.1:{port}" for port in self._metrics_ports.values()]

    def send(self, jobs: int) -> None:
        """Start a batch with ``jobs`` recipients, and wait until its first fax is accepted."""
        path = self.local.folder / "recipients.csv"
        write_csv(path, jobs)
        with self.local.client() as client:
            client.start(draft(client, "recovery", path).id, allow_repeat=True)
        self.local.wait(lambda: self.local.emulator_api.stats()["accepted"] > 0, 60.0, "no fax was sent")

    def kill_redis(self) -> None:
        """Kill the Redis server and restart it with the data that it has on disk."""
        os.kill(self.local.server.pid, signal.SIGKILL)
        self.local.wait(lambda: not self.local.server.running, 10.0, "Redis did not end")
        self.local.server.start()

    def kill_any_of_a_worker(self, rng: random.Random) -> None:
        """Kill the supervisor or a child of a worker service. A killed supervisor is restarted at once."""
        worker = rng.choice(self.workers)
        pid = rng.choice([worker.pid, *_children(worker.pid)])
        os.kill(pid, signal.SIGKILL)
        if pid == worker.pid:
            self.wait_until_gone(worker)
            worker.start()

    def replace_workers(self, **env: str) -> None:
        """Kill the workers, and start new ones with additional settings."""
        kill([worker for worker in self.workers if worker.running])
        for worker in self.workers:
            worker.stop()
        self.workers = self._start_services("worker", env)

    def wait_until_gone(self, process: Process, within_s: float = 40.0) -> None:
        """Wait until a process has ended."""
        self.local.wait(lambda: not process.running, within_s, f"{process.name} did not end")

    def _start_services(self, program: str, env: Mapping[str, str] | None = None) -> list[Process]:
        processes = [self._process(program, index, env or {}) for index in range(self._counts[program])]
        for process in processes:
            process.start()
        return processes

    def _process(self, program: str, index: int, settings: Mapping[str, str]) -> Process:
        name = _name(program, index)
        env = {**self.local.env, **settings}
        if name in self._metrics_ports:
            env["BULKFAX_METRICS_PORT"] = str(self._metrics_ports[name])
        return Process(name, [*PROGRAM, program], env=env, cwd=self.local.folder, log=self.local.folder / f"{name}.log")

    def _stop(self) -> None:
        processes: Sequence[Process] = [*self.schedulers, *self.workers]
        for process in processes:
            process.ask_to_stop()
        for process in processes:
            process.stop()
        self.local.stop()


def _name(program: str, index: int) -> str:
    return f"{program}-{index + 1}"


def kill(processes: Sequence[Process]) -> None:
    """Kill processes with all their children."""
    for process in processes:
        os.killpg(process.pid, signal.SIGKILL)


def restart(process: Process) -> None:
    """Restart a process that was killed."""
    process.stop()
    process.start()


def _children(pid: int) -> list[int]:
    """Return the ids of the direct children; an empty list if the process has ended."""
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
