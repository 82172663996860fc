"""All processes of the drill: a whole site, and a second worker, so that one can be frozen while another goes on."""

import json
import threading
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dispatcher.cli.output import CommandFailed, note
from dispatcher.cli.processes import LocalSupervisor, Process
from dispatcher.cli.site import LocalCluster
from dispatcher.cli.up import service_processes

#: requests a second that the account allows; what two cores can do while everything is started again and again
RATE = 50.0
#: divides the lives of faxes: a call of nine seconds takes half a second
SPEED = 20.0
#: the drill kills more often than any machine dies: waits before restarts shall not grow because of it
STEADY_S = 2.0
_HERE = Path(__file__).parent
POLICY = _HERE / "policy.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Crew:
    """A running site with all its workers."""

    site: LocalCluster
    workers: tuple[Process, ...]

    @property
    def web(self) -> Process:
        return self.site.processes["web"]

    @property
    def scheduler(self) -> Process:
        return self.site.processes["scheduler"]

    def metrics(self) -> str:
        """What web tells about everything. Raises OSError while it is away."""
        with urllib.request.urlopen(f"{self.site.url}/metrics", timeout=5) as answer:
            text: str = answer.read().decode()
        return text

    def stats(self) -> Mapping[str, Any]:
        """What the emulator counted. Raises Failure when it is gone."""
        try:
            with urllib.request.urlopen(f"{self.site.emulator_url}/emulator/stats", timeout=60) as answer:
                stats: Mapping[str, Any] = json.load(answer)
        except OSError as error:
            raise CommandFailed(f"the emulator does not answer any more ({error})") from error
        return stats

    def provider_away(self, how: str, seconds: float) -> None:
        """Raises Failure when the emulator is gone."""
        body = json.dumps({"how": how, "seconds": seconds}).encode()
        ask = urllib.request.Request(
            f"{self.site.emulator_url}/emulator/outage", data=body, headers={"Content-Type": "application/json"}
        )
        try:
            urllib.request.urlopen(ask, timeout=60).close()
        except OSError as error:
            raise CommandFailed(f"the emulator does not answer any more ({error})") from error


def policy_text(search_s: float | None = None) -> str:
    """The drill's policy, with the last look so long after the send deadline, if that is given."""
    text = POLICY.read_text()
    if search_s is None:
        return text
    looks = 'looks = ["1s", "2s", "4s", "8s"]'
    assert looks in text, "the drill's policy has other looks"
    return text.replace(looks, f'looks = ["1s", "2s", "4s", "8s", "{search_s:g}s"]')


@contextmanager
def running_crew(folder: Path, seed: int, search_s: float | None = None) -> Iterator[Crew]:
    """Start everything in ``folder``, keep it running, and stop it at the end. ``search_s``: another search period."""
    policy = folder / "policy.toml"
    policy.write_text(policy_text(search_s))
    scenario = folder / "scenario.toml"
    scenario.write_text(f"seed = {seed}\n{(_HERE / 'scenario.toml').read_text()}")
    with LocalCluster(folder, scenario=scenario, policy=policy, rate=RATE, speed=SPEED, steady_s=STEADY_S) as site:
        second = _second_worker(site)
        supervisor = LocalSupervisor([second], note, steady_s=STEADY_S)
        stop = threading.Event()
        watcher = threading.Thread(target=supervisor.watch, args=(stop,), name="second supervisor")
        try:
            supervisor.start()
            watcher.start()
            yield Crew(site=site, workers=(site.processes["worker"], second))
        finally:
            stop.set()
            if watcher.ident is not None:
                watcher.join()
            supervisor.stop()


def _second_worker(site: LocalCluster) -> Process:
    logs = site.folder / "second"
    logs.mkdir()
    return next(
        process for process in service_processes(site.env, cwd=site.folder, logs=logs) if process.name == "worker"
    )
