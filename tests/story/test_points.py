"""Processes die or freeze at every named point of a send, of a list of recipients and of a callback.

Each is killed by itself, the first time that it gets to the point; then it is started again and goes on.
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
from dispatcher.core.policy import Policy
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
#: nobody else's: a scenario counts what came to a number before
HIDDEN_NUMBER = "+12025550152"

#: where the sender dies -> number of the attempt that delivers. 1: it had not begun, or its fax was found; 2: the
#: first one was looked for over the settling time and not found
SENDS = {
    Failpoint.CLAIMED: 1,
    Failpoint.BEGUN: 2,
    Failpoint.FIRST_BYTE: 2,
    Failpoint.LAST_BYTE: 1,
    Failpoint.ANSWERED: 1,
    Failpoint.DECIDED: 1,
    Failpoint.APPLIED: 1,
}
LISTS = (Failpoint.PART_READ, Failpoint.PART_STORED, Failpoint.LIST_STORED)
CALLBACKS = (
    Failpoint.CALLBACK_READ,
    Failpoint.CALLBACK_STORED,
    Failpoint.CALLBACK_TAKEN,
    Failpoint.EVENT_TAKEN,
    Failpoint.EVENT_SETTLED,
    Failpoint.EVENTS_SETTLED,
)

#: the first fax is taken without an answer, shows in the list after the settling time, and its news comes late, too
HIDDEN = f"""
list_delay = 30
[[numbers]]
to = "{HIDDEN_NUMBER}"
requests = ["drop_after", "ok"]
callbacks = ["late 8", "ok"]
"""


@dataclass(frozen=True, slots=True)
class Orders:
    """Tells the processes at which point one of them stops."""

    path: Path

    def give(self, point: Failpoint, number: signal.Signals = signal.SIGKILL) -> None:
        for done in self.path.parent.glob("obeyed-*"):
            done.unlink()
        draft = self.path.with_suffix(".draft")
        draft.write_text(f"{point} {number}")
        draft.rename(self.path)

    def obeyed(self) -> int:
        """Wait until a process has; its id."""
        until(lambda: list(self.path.parent.glob("obeyed-*")), PATIENCE_S)
        return int(next(self.path.parent.glob("obeyed-*")).name.partition("-")[2])


@pytest.fixture(scope="module")
def orders(tmp_path_factory: pytest.TempPathFactory) -> Orders:
    return Orders(tmp_path_factory.mktemp("orders") / "order")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory, repository: Path, orders: Orders) -> Iterator[StoryCluster]:
    folder = tmp_path_factory.mktemp("cluster")
    scenario = folder / "scenario.toml"
    scenario.write_text("seed = 7\n")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PYTHONPATH", str(repository))
        environment.setenv(failpoint_process.ORDER, str(orders.path))
        with (
            scenario_cluster(
                folder,
                scenario=scenario,
                policy=Path(__file__).with_name("points-policy.toml"),
                rate=100,
                speed=20,
                steady_s=0,
                program=(sys.executable, "-m", failpoint_process.__name__),
            ) as local,
            local.client() as client,
        ):
            yield StoryCluster(local, client, folder, repository / "examples" / "letter.pdf")


@pytest.fixture
def second_worker(cluster: StoryCluster) -> Iterator[Process]:
    """An ordinary worker beside the one that obeys; a test starts it."""
    processes = {process.name: process for process in service_processes(cluster.local.env, cwd=cluster.local.folder)}
    yield processes["worker"]
    processes["worker"].stop()


def faults(cluster: StoryCluster) -> list[str]:
    """What the doctor finds once the inbox is empty."""

    async def ask() -> list[str]:
        store = Store(cluster.local.server.url, Policy(), documents_max_bytes=1)
        try:
            async with asyncio.timeout(PATIENCE_S):
                while await store.inbox.depth():  # noqa: ASYNC110  # another process empties it
                    await asyncio.sleep(0.1)
            return [found.text for found in await examine(store, fix=False, progress=lambda *_: None) if not found.ok]
        finally:
            await store.aclose()

    return asyncio.run(ask())


def delivered(cluster: StoryCluster, job: Job) -> Job:
    """The job at its end, which has to be a good one: one fax at the provider, delivered, and a store in order."""
    cluster.wait(job.batch)
    found = cluster.compare(job.batch)
    assert (found.faxes, found.lost, found.doubled, found.wrong_state) == (1, (), (), ())
    assert faults(cluster) == []
    ended = cluster.client.job(job.id)
    assert (ended.state, ended.doubled) == ("delivered", False)
    return ended


@pytest.mark.parametrize("point", SENDS)
def test_a_fax_is_sent_once_wherever_its_sender_is_killed(
    cluster: StoryCluster, orders: Orders, point: Failpoint
) -> None:
    orders.give(point)
    job = cluster.single_fax(NUMBER)
    orders.obeyed()
    assert delivered(cluster, job).attempt == SENDS[point]


@pytest.mark.parametrize("point", LISTS)
def test_every_recipient_is_taken_and_faxed_once_wherever_web_is_killed(
    cluster: StoryCluster, orders: Orders, point: Failpoint
) -> None:
    orders.give(point)
    batch = cluster.start_batch([f"+1212555{n:04}" for n in range(100, 120)])
    orders.obeyed()
    ended = cluster.wait(batch.id)
    assert (ended.rows, ended.duplicates, ended.counts["delivered"]) == (20, 0, 20)
    found = cluster.compare(batch.id)
    assert (found.faxes, found.lost, found.doubled, found.wrong_state) == (20, (), (), ())
    assert faults(cluster) == []


@pytest.mark.parametrize("point", CALLBACKS)
def test_news_counts_once_wherever_its_receiver_is_killed(
    cluster: StoryCluster, orders: Orders, point: Failpoint
) -> None:
    orders.give(point)
    job = cluster.single_fax(NUMBER)
    orders.obeyed()
    assert delivered(cluster, job).attempt == 1
    assert cluster.client.batch(job.batch).attempts == 1


@pytest.mark.parametrize("point", [Failpoint.BEGUN, Failpoint.FIRST_BYTE])
def test_a_worker_that_wakes_up_after_the_write_off_sends_nothing(
    cluster: StoryCluster, orders: Orders, second_worker: Process, point: Failpoint
) -> None:
    orders.give(point, signal.SIGSTOP)
    job = cluster.single_fax(NUMBER)
    frozen = orders.obeyed()
    try:
        second_worker.start()
        assert delivered(cluster, job).attempt == 2
    finally:
        os.kill(frozen, signal.SIGCONT)
    second_worker.stop()
    # goes through the woken worker, whose own fax would be first
    delivered(cluster, cluster.single_fax(OTHER))
    assert len(cluster.faxes(job)) == 1


def test_a_fax_that_shows_after_the_settling_time_is_reported_as_doubled(cluster: StoryCluster) -> None:
    before = doubled_total(cluster)
    play(cluster, HIDDEN)
    try:
        job = cluster.single_fax(HIDDEN_NUMBER)
        batch = cluster.wait(job.batch, lambda batch: batch.doubled > 0)
    finally:
        play(cluster, "")
    assert cluster.compare(batch.id).doubled == (job.id,), "the provider has them both"
    told = cluster.client.job(job.id)
    assert (told.state, told.doubled, batch.doubled, told.attempt) == ("delivered", True, 1, 2)
    assert "doubled" in [entry.outcome for entry in told.history]
    assert doubled_total(cluster) == before + 1
    log = (cluster.local.folder / "worker.log").read_text()
    assert any("[error" in line and "doubled" in line and job.id in line for line in log.splitlines())
    assert "of attempt 1, when the job was delivered by another" in report(cluster, batch.id)
    assert faults(cluster) == []


def play(cluster: StoryCluster, scenario: str) -> None:
    """Give the emulator another scenario."""
    request = urllib.request.Request(
        f"{cluster.local.emulator_url}/emulator/scenario",
        data=scenario.encode(),
        headers={"Content-Type": "application/toml"},
    )
    urllib.request.urlopen(request, timeout=10).close()


def doubled_total(cluster: StoryCluster) -> float:
    line = next(line for line in cluster.metrics().splitlines() if line.startswith("bulkfax_doubled_total "))
    return float(json.loads(line.split()[1]))


def report(cluster: StoryCluster, batch: str) -> str:
    path = cluster.local.folder / "report.csv"
    cluster.client.report(batch, path)
    return path.read_text()
