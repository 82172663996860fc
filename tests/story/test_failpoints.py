"""Tests that processes may be killed or frozen at every failpoint of a send, an upload and a callback.

A process receives the signal the first time that it reaches the failpoint. It is then restarted.
"""

import asyncio
import json
import os
import signal
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from dispatcher.client import Job
from dispatcher.core.failpoints import Failpoint
from dispatcher.core.policy.policy import Policy
from dispatcher.local.cluster import scenario_cluster
from dispatcher.local.services import service_processes
from dispatcher.local.supervisor import Process
from dispatcher.service.doctor import examine
from dispatcher.store.store import Store
from tests.local.watching import until
from tests.story import failpoint_process
from tests.story.conftest import PATIENCE_S, StoryCluster

pytestmark = pytest.mark.story

NUMBER, OTHER = "+12025550150", "+12025550151"
#: used by one test only, because a scenario counts the sends to a number
HIDDEN_NUMBER = "+12025550152"

#: number of the attempt that delivers the fax, by the failpoint at which the sender is killed. 1: the attempt had not
#: begun, or its fax was found; 2: the first attempt was not found within the search period
SENDS = {
    Failpoint.CLAIMED: 1,
    Failpoint.BEGUN: 2,
    Failpoint.FIRST_BYTE: 2,
    Failpoint.LAST_BYTE: 1,
    Failpoint.ANSWERED: 1,
    Failpoint.DECIDED: 1,
    Failpoint.APPLIED: 1,
}
LISTS = (Failpoint.CHUNK_READ, Failpoint.CHUNK_STORED, Failpoint.LIST_STORED)
CALLBACKS = (
    Failpoint.CALLBACK_READ,
    Failpoint.CALLBACK_STORED,
    Failpoint.CALLBACK_TAKEN,
    Failpoint.EVENT_TAKEN,
    Failpoint.EVENT_SETTLED,
    Failpoint.EVENTS_SETTLED,
)

#: the first fax is accepted without a response, appears in lists after the search period, and its callback is late
HIDDEN = f"""
list_delay = 30
[[numbers]]
to = "{HIDDEN_NUMBER}"
requests = ["drop_after", "ok"]
callbacks = ["late 8", "ok"]
"""


@dataclass(frozen=True, slots=True)
class FailpointTrigger:
    """Tells the processes at which failpoint one of them receives a signal."""

    path: Path

    def set(self, failpoint: Failpoint, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal to the next process that reaches the failpoint."""
        for done in self.path.parent.glob("triggered-*"):
            done.unlink()
        draft = self.path.with_suffix(".draft")
        draft.write_text(f"{failpoint} {number}")
        draft.rename(self.path)

    def wait(self) -> int:
        """Wait until a process has received the signal, and return its id."""
        until(lambda: list(self.path.parent.glob("triggered-*")), PATIENCE_S)
        return int(next(self.path.parent.glob("triggered-*")).name.partition("-")[2])


@pytest.fixture(scope="module")
def trigger(tmp_path_factory: pytest.TempPathFactory) -> FailpointTrigger:
    """The trigger that all processes of the cluster read."""
    return FailpointTrigger(tmp_path_factory.mktemp("trigger") / "trigger")


@pytest.fixture(scope="module")
def cluster(
    tmp_path_factory: pytest.TempPathFactory, repository: Path, trigger: FailpointTrigger
) -> Iterator[StoryCluster]:
    """A running cluster whose processes have failpoints."""
    folder = tmp_path_factory.mktemp("cluster")
    scenario = folder / "scenario.toml"
    scenario.write_text("seed = 7\n")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PYTHONPATH", str(repository))
        environment.setenv(failpoint_process.TRIGGER_FILE, str(trigger.path))
        with (
            scenario_cluster(
                folder,
                scenario=scenario,
                policy=Path(__file__).with_name("failpoint-policy.toml"),
                rate=100,
                speed=20,
                stable_after_s=0,
                program=(sys.executable, "-m", failpoint_process.__name__),
            ) as local,
            local.client() as client,
        ):
            yield StoryCluster(local, client, folder, repository / "examples" / "letter.pdf")


@pytest.fixture
def second_worker(cluster: StoryCluster) -> Iterator[Process]:
    """A worker without failpoints, which a test may start beside the other."""
    processes = {process.name: process for process in service_processes(cluster.local.env, cwd=cluster.local.folder)}
    yield processes["worker"]
    processes["worker"].stop()


def doctor_findings(cluster: StoryCluster) -> list[str]:
    """Return the findings of the doctor once the inbox is empty."""

    async def examine_store() -> list[str]:
        store = Store(cluster.local.server.url, Policy(), documents_max_bytes=1)
        try:
            async with asyncio.timeout(PATIENCE_S):
                while await store.inbox.depth():  # noqa: ASYNC110  # another process empties it
                    await asyncio.sleep(0.1)
            return [
                finding.text for finding in await examine(store, fix=False, progress=lambda *_: None) if not finding.ok
            ]
        finally:
            await store.aclose()

    return asyncio.run(examine_store())


def await_delivery(cluster: StoryCluster, job: Job) -> Job:
    """Wait until a job has ended, and check that one fax was delivered and the store is consistent."""
    cluster.wait(job.batch)
    comparison = cluster.compare(job.batch)
    assert (comparison.faxes, comparison.lost, comparison.doubled, comparison.wrong_state) == (1, (), (), ())
    assert doctor_findings(cluster) == []
    ended = cluster.client.job(job.id)
    assert (ended.state, ended.doubled) == ("delivered", False)
    return ended


@pytest.mark.parametrize("failpoint", SENDS)
def test_a_fax_is_sent_once_wherever_its_sender_is_killed(
    cluster: StoryCluster, trigger: FailpointTrigger, failpoint: Failpoint
) -> None:
    trigger.set(failpoint)
    job = cluster.single_fax(NUMBER)
    trigger.wait()
    assert await_delivery(cluster, job).attempt == SENDS[failpoint]


@pytest.mark.parametrize("failpoint", LISTS)
def test_every_recipient_is_accepted_and_faxed_once_wherever_web_is_killed(
    cluster: StoryCluster, trigger: FailpointTrigger, failpoint: Failpoint
) -> None:
    trigger.set(failpoint)
    batch = cluster.start_batch([f"+1212555{n:04}" for n in range(100, 120)])
    trigger.wait()
    ended = cluster.wait(batch.id)
    assert (ended.rows, ended.duplicates, ended.counts["delivered"]) == (20, 0, 20)
    comparison = cluster.compare(batch.id)
    assert (comparison.faxes, comparison.lost, comparison.doubled, comparison.wrong_state) == (20, (), (), ())
    assert doctor_findings(cluster) == []


@pytest.mark.parametrize("failpoint", CALLBACKS)
def test_a_callback_counts_once_wherever_its_receiver_is_killed(
    cluster: StoryCluster, trigger: FailpointTrigger, failpoint: Failpoint
) -> None:
    trigger.set(failpoint)
    job = cluster.single_fax(NUMBER)
    trigger.wait()
    assert await_delivery(cluster, job).attempt == 1
    assert cluster.client.batch(job.batch).attempts == 1


@pytest.mark.parametrize("failpoint", [Failpoint.BEGUN, Failpoint.FIRST_BYTE])
def test_a_worker_that_wakes_up_after_the_write_off_sends_nothing(
    cluster: StoryCluster, trigger: FailpointTrigger, second_worker: Process, failpoint: Failpoint
) -> None:
    trigger.set(failpoint, signal.SIGSTOP)
    job = cluster.single_fax(NUMBER)
    frozen = trigger.wait()
    try:
        second_worker.start()
        assert await_delivery(cluster, job).attempt == 2
    finally:
        os.kill(frozen, signal.SIGCONT)
    second_worker.stop()
    # the resumed worker sends this fax, after any fax that it still has to send
    await_delivery(cluster, cluster.single_fax(OTHER))
    assert len(cluster.faxes(job)) == 1


def test_a_fax_that_appears_after_the_search_period_is_reported_as_doubled(cluster: StoryCluster) -> None:
    before = doubled_total(cluster)
    play(cluster, HIDDEN)
    try:
        job = cluster.single_fax(HIDDEN_NUMBER)
        batch = cluster.wait(job.batch, lambda batch: batch.doubled > 0)
    finally:
        play(cluster, "")
    assert cluster.compare(batch.id).doubled == (job.id,), "the provider has both faxes"
    doubled_job = cluster.client.job(job.id)
    assert (doubled_job.state, doubled_job.doubled, batch.doubled, doubled_job.attempt) == ("delivered", True, 1, 2)
    assert "doubled" in [entry.outcome for entry in doubled_job.history]
    assert doubled_total(cluster) == before + 1
    log = (cluster.local.folder / "worker.log").read_text()
    assert any("[error" in line and "doubled" in line and job.id in line for line in log.splitlines())
    assert "of attempt 1, when the job was delivered by another" in report(cluster, batch.id)
    assert doctor_findings(cluster) == []


def play(cluster: StoryCluster, scenario: str) -> None:
    """Set the scenario of the emulator."""
    request = urllib.request.Request(
        f"{cluster.local.emulator_url}/emulator/scenario",
        data=scenario.encode(),
        headers={"Content-Type": "application/toml"},
    )
    urllib.request.urlopen(request, timeout=10).close()


def doubled_total(cluster: StoryCluster) -> float:
    """Return the number of doubled faxes from the metrics."""
    line = next(line for line in cluster.metrics().splitlines() if line.startswith("bulkfax_doubled_total "))
    return float(json.loads(line.split()[1]))


def report(cluster: StoryCluster, batch: str) -> str:
    """Return the report of a batch."""
    path = cluster.local.folder / "report.csv"
    cluster.client.report(batch, path)
    return path.read_text()
