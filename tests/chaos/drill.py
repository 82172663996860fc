"""The chaos drill from start to end: start the cluster, send, inject faults, wait until all jobs are final, compare."""

import re
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dispatcher.client import FINAL_STATES, Client
from dispatcher.core.policy.policy import Policy
from tests.chaos.cluster import RATE, ChaosCluster, running_cluster
from tests.chaos.errors import DrillFailed
from tests.chaos.faults import FaultInjector
from tests.chaos.mailings import Producer, make_mailings, wait_for
from tests.chaos.plan import amounts_for, make_plan
from tests.chaos.say import say
from tests.chaos.share import SendableTime, sendable_jobs
from tests.chaos.verdict import Verdict, describe_suspects, judge, result

_LOOK_S, _REPORT_S = 0.25, 10.0
#: seconds that the provider's last calls may take after all jobs are final
_LAST_CALLS_S = 60.0
_HOLDS = re.compile(r"^bulkfax_holds\{.*\} (\S+)$", re.MULTILINE)
_UNCLEAR = re.compile(r'^bulkfax_in_flight\{state="unclear"\} (\S+)$', re.MULTILINE)
_STATE = re.compile(r'^bulkfax_jobs\{state="(\w+)"\} (\S+)$', re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillOptions:
    """Options of a drill."""

    jobs: int
    seed: int
    #: time limit of the drill
    seconds: float
    policy: Policy
    #: search period in seconds that replaces the policy's; with one longer than the drill, unclear attempts stay open
    search_s: float | None = None

    @property
    def freeze_s(self) -> tuple[float, float]:
        """Shortest and longest freeze: slightly longer than a lease, and than the write-off of an unclear attempt."""
        policy = self.policy
        write_off_s = policy.send_window_s + policy.post_total_s + policy.search_period_s
        return policy.lease_s * 1.2, write_off_s * 1.3


class Drill:
    """A drill, which ``run`` carries out once in an empty folder."""

    def __init__(self, options: DrillOptions, folder: Path) -> None:
        self._options = options
        self._folder = folder
        self._began_s = time.monotonic()
        self._reported_s = self._began_s
        self._final = 0
        self._unclear = 0
        self._sendable = SendableTime()

    def run(self) -> tuple[dict[str, Any], bool]:
        """Carry out the drill, and return its result and whether nothing was wrong.

        Raises:
            DrillFailed: The drill could not be carried out.
        """
        with (
            running_cluster(self._folder, self._options.seed, self._options.search_s) as cluster,
            cluster.local.client(patience_s=120.0) as client,
        ):
            plan = make_plan(self._options.seed, amounts_for(self._options.jobs, freeze_s=self._options.freeze_s))
            injector = FaultInjector(cluster, plan, self._say)
            mailings = make_mailings(self._options.jobs)
            producer = Producer(client, mailings, self._folder, lambda: min(injector.reached, self._progress))
            producer.start()
            try:
                self._work(cluster, injector, producer)
            finally:
                injector.end()
                producer.stop()
            if producer.error:
                raise DrillFailed(producer.error)
            self._let_calls_end(cluster)
            return self._conclude(cluster, client, injector, producer)

    @property
    def _progress(self) -> float:
        return self._settled / self._options.jobs

    @property
    def _settled(self) -> int:
        """The number of jobs that are done: final, or unclear where the search period outlasts the drill."""
        return self._final + (self._unclear if self._options.search_s else 0)

    @property
    def _end_s(self) -> float:
        return self._began_s + self._options.seconds

    def _work(self, cluster: ChaosCluster, injector: FaultInjector, producer: Producer) -> None:
        while time.monotonic() < self._end_s:
            self._look(cluster)
            injector.step(self._progress)
            if self._settled >= self._options.jobs and not producer.is_alive():
                return
            if producer.error:
                raise DrillFailed(producer.error)
            time.sleep(_LOOK_S)
        self._say("the time limit is reached")

    def _look(self, cluster: ChaosCluster) -> None:
        """Update the job counts from the metrics. They stay as they are while the web process does not answer."""
        try:
            metrics = cluster.metrics()
        except OSError:
            return
        states = {name: float(count) for name, count in _STATE.findall(metrics)}
        holds = sum(int(float(count)) for count in _HOLDS.findall(metrics))
        self._sendable.add_sample(time.time(), waiting=sendable_jobs(states), held=holds)
        self._final = int(sum(states.get(state, 0) for state in FINAL_STATES))
        self._unclear = sum(int(float(count)) for count in _UNCLEAR.findall(metrics))
        if time.monotonic() > self._reported_s + _REPORT_S:
            self._reported_s = time.monotonic()
            live = {name: int(count) for name, count in states.items() if count and name not in FINAL_STATES}
            self._say(" ".join(f"{name}={count}" for name, count in live.items()))

    def _let_calls_end(self, cluster: ChaosCluster) -> None:
        # a worker that was frozen until now may still try to send; the ledger has to contain what it sends
        time.sleep(self._options.policy.post_total_s)
        wait_for(lambda: cluster.local.emulator_api.stats()["unfinished"] == 0, time.monotonic() + _LAST_CALLS_S)

    def _conclude(
        self, cluster: ChaosCluster, client: Client, injector: FaultInjector, producer: Producer
    ) -> tuple[dict[str, Any], bool]:
        verdict = judge(cluster, client, producer.accepted, unclear_may_stay=self._options.search_s is not None)
        for sentence in (*verdict.count_errors, *describe_suspects(client, verdict)):
            say(sentence)
        seconds = time.monotonic() - self._began_s
        faults = _faults(cluster, injector, verdict)
        share = self._sendable.share(sorted(fax.accepted_ms / 1000 for fax in verdict.faxes), RATE)
        line = result(
            verdict, jobs=self._options.jobs, kills=injector.kills, faults=faults, seconds=seconds, share=share
        )
        if not injector.all_done:
            self._say("not all planned faults were injected")
        return line, verdict.clean and injector.all_done

    def _say(self, text: str) -> None:
        say(f"[{time.monotonic() - self._began_s:4.0f} s] {self._final:,} of {self._options.jobs:,} final: {text}")


def _faults(cluster: ChaosCluster, injector: FaultInjector, verdict: Verdict) -> Counter[str]:
    """Return the faults that the emulator counted and those of the drill. The emulator lists every fax late."""
    return (
        Counter(cluster.local.emulator_api.stats()["faults"])
        + injector.done
        + Counter({"list delayed": len(verdict.faxes)})
    )
