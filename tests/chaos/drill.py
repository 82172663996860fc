"""One drill from beginning to end: start everything, send, break, wait until all is final, compare."""

import re
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dispatcher.client import FINAL_STATES, Client
from dispatcher.core.policy import Policy
from tests.chaos.cluster import RATE, ChaosCluster, running_cluster
from tests.chaos.errors import DrillFailed
from tests.chaos.faults import FaultInjector
from tests.chaos.mailings import Producer, make_mailings, wait_for
from tests.chaos.plan import amounts_for, make_plan
from tests.chaos.say import say
from tests.chaos.share import SendableTime, sendable_jobs
from tests.chaos.verdict import Verdict, judge, result, stories

_LOOK_S, _TELL_S = 0.25, 10.0
#: how long the provider's last calls may take when all our jobs are final, in seconds
_LAST_CALLS_S = 60.0
_HOLDS = re.compile(r"^bulkfax_holds\{.*\} (\S+)$", re.MULTILINE)
_UNCLEAR = re.compile(r'^bulkfax_in_flight\{state="unclear"\} (\S+)$', re.MULTILINE)
_STATE = re.compile(r'^bulkfax_jobs\{state="(\w+)"\} (\S+)$', re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    jobs: int
    seed: int
    #: total time of the drill
    seconds: float
    policy: Policy
    #: the search period in seconds, if it shall not be the policy's: one that is longer than the drill leaves unclear
    #: sends open to its end
    search_s: float | None = None

    @property
    def freeze_s(self) -> tuple[float, float]:
        """From a bit more than a lease to a bit more than the time after which an unclear send is written off."""
        policy = self.policy
        write_off_s = policy.send_window_s + policy.post_total_s + policy.settling_s
        return policy.lease_s * 1.2, write_off_s * 1.3


class Drill:
    """``run`` it once, in a folder of its own."""

    def __init__(self, order: Order, folder: Path) -> None:
        self._order = order
        self._folder = folder
        self._began_s = time.monotonic()
        self._told_s = self._began_s
        self._final = 0
        self._unclear = 0
        self._sendable = SendableTime()

    def run(self) -> tuple[dict[str, Any], bool]:
        """The last line, and whether all is as it should be. Raises Failure when it could not be carried out."""
        with (
            running_cluster(self._folder, self._order.seed, self._order.search_s) as cluster,
            cluster.local.client(patience_s=120.0) as client,
        ):
            plan = make_plan(self._order.seed, amounts_for(self._order.jobs, freeze_s=self._order.freeze_s))
            injector = FaultInjector(cluster, plan, self._say)
            mailings = make_mailings(self._order.jobs)
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
        return self._settled / self._order.jobs

    @property
    def _settled(self) -> int:
        """Jobs of which nothing more is to be expected."""
        return self._final + (self._unclear if self._order.search_s else 0)

    @property
    def _end_s(self) -> float:
        return self._began_s + self._order.seconds

    def _work(self, cluster: ChaosCluster, injector: FaultInjector, producer: Producer) -> None:
        while time.monotonic() < self._end_s:
            self._look(cluster)
            injector.step(self._progress)
            if self._settled >= self._order.jobs and not producer.is_alive():
                return
            if producer.error:
                raise DrillFailed(producer.error)
            time.sleep(_LOOK_S)
        self._say("the time is over")

    def _look(self, cluster: ChaosCluster) -> None:
        """Learn how many jobs are final; while web is away the last figure stands."""
        try:
            metrics = cluster.metrics()
        except OSError:
            return
        states = {name: float(count) for name, count in _STATE.findall(metrics)}
        holds = sum(int(float(count)) for count in _HOLDS.findall(metrics))
        self._sendable.note(time.time(), waiting=sendable_jobs(states), held=holds)
        self._final = int(sum(states.get(state, 0) for state in FINAL_STATES))
        self._unclear = sum(int(float(count)) for count in _UNCLEAR.findall(metrics))
        if time.monotonic() > self._told_s + _TELL_S:
            self._told_s = time.monotonic()
            live = {name: int(count) for name, count in states.items() if count and name not in FINAL_STATES}
            self._say(" ".join(f"{name}={count}" for name, count in live.items()))

    def _let_calls_end(self, cluster: ChaosCluster) -> None:
        # who was frozen until now may believe that it still has to send: what that does has to be in the ledger
        time.sleep(self._order.policy.post_total_s)
        wait_for(lambda: cluster.local.emulator_api.stats()["unfinished"] == 0, time.monotonic() + _LAST_CALLS_S)

    def _conclude(
        self, cluster: ChaosCluster, client: Client, injector: FaultInjector, producer: Producer
    ) -> tuple[dict[str, Any], bool]:
        verdict = judge(cluster, client, producer.accepted, unclear_may_stay=self._order.search_s is not None)
        for sentence in (*verdict.count_errors, *stories(client, verdict)):
            say(sentence)
        seconds = time.monotonic() - self._began_s
        faults = _faults(cluster, injector, verdict)
        share = self._sendable.share(sorted(fax.accepted_ms / 1000 for fax in verdict.faxes), RATE)
        line = result(verdict, jobs=self._order.jobs, kills=injector.kills, faults=faults, seconds=seconds, share=share)
        if not injector.all_done:
            self._say("not all of the plan was carried out")
        return line, verdict.clean and injector.all_done

    def _say(self, text: str) -> None:
        say(f"[{time.monotonic() - self._began_s:4.0f} s] {self._final:,} of {self._order.jobs:,} final: {text}")


def _faults(cluster: ChaosCluster, injector: FaultInjector, verdict: Verdict) -> Counter[str]:
    """What the provider did, by the emulator's own count, and what we did. It shows every fax late in its list."""
    return (
        Counter(cluster.local.emulator_api.stats()["faults"])
        + injector.done
        + Counter({"list delayed": len(verdict.faxes)})
    )
