"""The processes of the drill: a local cluster, and a second worker that keeps sending while the first is frozen."""

import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dispatcher.local.cluster import LocalCluster, scenario_cluster
from dispatcher.local.services import service_processes
from dispatcher.local.supervisor import LocalSupervisor, Process
from tests.chaos.say import say

#: the account's limit in requests per second; two cores reach it while processes restart all the time
RATE = 50.0
#: divides the durations of calls: a call of nine seconds takes half a second
SPEED = 20.0
#: seconds after which a process counts as stable; low, so that frequent kills do not lengthen restart delays
STABLE_AFTER_S = 2.0
_HERE = Path(__file__).parent
POLICY = _HERE / "policy.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChaosCluster:
    """A running local cluster with both workers."""

    local: LocalCluster
    workers: tuple[Process, ...]

    @property
    def web(self) -> Process:
        """The web process."""
        return self.local.processes["web"]

    @property
    def scheduler(self) -> Process:
        """The scheduler process."""
        return self.local.processes["scheduler"]

    def metrics(self) -> str:
        """Read the metrics of the web process.

        Raises:
            OSError: The web process does not answer.
        """
        with urllib.request.urlopen(f"{self.local.url}/metrics/installation", timeout=5) as response:
            text: str = response.read().decode()
        return text


def policy_text(search_s: float | None = None) -> str:
    """Return the drill's policy as TOML. ``search_s`` adds a last look-up that many seconds after the send deadline."""
    text = POLICY.read_text()
    if search_s is None:
        return text
    lookup_times = 'looks = ["1s", "2s", "4s", "8s"]'
    assert lookup_times in text, "the drill's policy has different look-ups"
    return text.replace(lookup_times, f'looks = ["1s", "2s", "4s", "8s", "{search_s:g}s"]')


@contextmanager
def running_cluster(folder: Path, seed: int, search_s: float | None = None) -> Iterator[ChaosCluster]:
    """Start the cluster, restart processes that end, and stop it at the end.

    Args:
        folder: Folder of data, configuration and logs.
        seed: seed of the provider's faults.
        search_s: Search period that replaces the policy's.
    """
    policy = folder / "policy.toml"
    policy.write_text(policy_text(search_s))
    scenario = folder / "scenario.toml"
    scenario.write_text(f"seed = {seed}\n{(_HERE / 'scenario.toml').read_text()}")
    with scenario_cluster(
        folder, scenario=scenario, policy=policy, rate=RATE, speed=SPEED, stable_after_s=STABLE_AFTER_S, say=say
    ) as local:
        second = _second_worker(local)
        supervisor = LocalSupervisor([second], say, stable_after_s=STABLE_AFTER_S)
        stop = threading.Event()
        watcher = threading.Thread(target=supervisor.watch, args=(stop,), name="second supervisor")
        try:
            supervisor.start()
            watcher.start()
            yield ChaosCluster(local=local, workers=(local.processes["worker"], second))
        finally:
            stop.set()
            if watcher.ident is not None:
                watcher.join()
            supervisor.stop()


def _second_worker(local: LocalCluster) -> Process:
    logs = local.folder / "second"
    logs.mkdir()
    (worker,) = service_processes(local.env, names=["worker"], cwd=local.folder, logs=logs)
    return worker
