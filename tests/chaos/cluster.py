"""The processes of the drill: a local cluster with a second worker, so that one can be frozen while the other works."""

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

#: requests a second that the account allows; what two cores can do while everything is started again and again
RATE = 50.0
#: divides the lives of faxes: a call of nine seconds takes half a second
SPEED = 20.0
#: the drill kills more often than any machine dies: waits before restarts shall not grow because of it
STEADY_S = 2.0
_HERE = Path(__file__).parent
POLICY = _HERE / "policy.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChaosCluster:
    """A running cluster with all its workers."""

    local: LocalCluster
    workers: tuple[Process, ...]

    @property
    def web(self) -> Process:
        return self.local.processes["web"]

    @property
    def scheduler(self) -> Process:
        return self.local.processes["scheduler"]

    def metrics(self) -> str:
        """Return the metrics of web. Raises OSError while it does not answer."""
        with urllib.request.urlopen(f"{self.local.url}/metrics", timeout=5) as answer:
            text: str = answer.read().decode()
        return text


def policy_text(search_s: float | None = None) -> str:
    """The drill's policy, with the last look so long after the send deadline, if that is given."""
    text = POLICY.read_text()
    if search_s is None:
        return text
    looks = 'looks = ["1s", "2s", "4s", "8s"]'
    assert looks in text, "the drill's policy has other looks"
    return text.replace(looks, f'looks = ["1s", "2s", "4s", "8s", "{search_s:g}s"]')


@contextmanager
def running_cluster(folder: Path, seed: int, search_s: float | None = None) -> Iterator[ChaosCluster]:
    """Start everything in ``folder``, keep it running, and stop it at the end. ``search_s``: another search period."""
    policy = folder / "policy.toml"
    policy.write_text(policy_text(search_s))
    scenario = folder / "scenario.toml"
    scenario.write_text(f"seed = {seed}\n{(_HERE / 'scenario.toml').read_text()}")
    with scenario_cluster(
        folder, scenario=scenario, policy=policy, rate=RATE, speed=SPEED, steady_s=STEADY_S, say=say
    ) as local:
        second = _second_worker(local)
        supervisor = LocalSupervisor([second], say, steady_s=STEADY_S)
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
