"""Clusters for the story tests: all processes are real, and the emulator takes the place of the provider."""

import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dispatcher.client import Batch, Client, Job, NewBatch, NewFax, Options
from dispatcher.local.cluster import LocalCluster, scenario_cluster
from dispatcher.local.doctor import examine_store
from dispatcher.local.ledger import Comparison, LedgerFax, OurJob, compare

#: seconds after which a test fails; far longer than any story takes
PATIENCE_S = 120.0
#: numbers of the project; no other may be a sender
SENDERS = ("+12025550100", "+12025550199")


class StoryCluster:
    """A running local cluster with the steps that the stories consist of."""

    def __init__(self, local: LocalCluster, client: Client, folder: Path, letter: Path) -> None:
        self.local = local
        self.client = client
        self._folder = folder
        self._letter = letter

    def start_batch(
        self, numbers: list[str], name: str = "story", *, options: Options | None = None, first: int | None = None
    ) -> Batch:
        """Upload and start a batch with the example letter, or a part of it."""
        document = self.client.upload_document(self._letter)
        new = NewBatch(name=name, documents=(document.id,), options=options or Options())
        batch = self.client.create_batch(new)
        path = self._folder / f"{batch.id}.csv"
        path.write_text("\n".join(["fax", *numbers, ""]))
        self.client.upload_recipients(batch.id, path)
        return self.client.start(batch.id, allow_repeat=True, first=first)

    def wait(self, batch: str, until: Callable[[Batch], bool] = lambda batch: batch.ended) -> Batch:
        """Wait until a batch meets a condition; by default, until it has ended."""
        end_s = time.monotonic() + PATIENCE_S
        while True:
            state = self.client.batch(batch)
            if until(state):
                return state
            assert time.monotonic() < end_s, f"waited too long: {state}"
            time.sleep(0.1)

    def jobs(self, batch: str) -> dict[str, Job]:
        """Return the jobs of a batch by number."""
        return {job.number or "": job for job in self.client.jobs(batch)}

    def faxes(self, job: Job) -> list[LedgerFax]:
        """Return the faxes that the provider accepted for a job, the oldest first."""
        faxes = [fax for fax in self.local.emulator_api.ledger() if fax.job == job.id]
        return sorted(faxes, key=lambda fax: fax.accepted_ms)

    def metrics(self) -> str:
        """Read the metrics of the web process."""
        with urllib.request.urlopen(f"{self.local.url}/metrics/installation", timeout=10) as response:
            text: str = response.read().decode()
            return text

    def provider_reads(self) -> int:
        """Return the number of requests that the emulator answered, without accepted sends."""
        stats = self.local.emulator_api.stats()
        return int(sum(stats["requestsByStatus"].values()) - stats["accepted"])

    def single_fax(self, number: str) -> Job:
        """Send a single fax."""
        document = self.client.upload_document(self._letter)
        return self.client.send_fax(NewFax(to=number, documents=(document.id,), allow_repeat=True))

    def doctor(self) -> list[str]:
        """Return the findings of ``bulkfax doctor``."""
        return list(examine_store(self.local)[1])

    def compare(self, batch: str) -> Comparison:
        """Compare the jobs of a batch with the ledger of the emulator."""
        jobs = [OurJob(id=job.id, number=job.number or "", state=job.state) for job in self.client.jobs(batch)]
        ids = {job.id for job in jobs}
        return compare(jobs, [fax for fax in self.local.emulator_api.ledger() if fax.job in ids])


@pytest.fixture(scope="module")
def polling() -> bool:
    """Whether the provider cannot send callbacks. A module may override it."""
    return False


@pytest.fixture(scope="module")
def scenario() -> Path:
    """The path of the emulator's scenario. A module may override it."""
    return Path(__file__).with_name("stories.toml")


@pytest.fixture(scope="module")
def policy(repository: Path) -> Path:
    """The path of a policy with seconds instead of minutes. A module may override it."""
    return repository / "examples" / "fast-policy.toml"


@pytest.fixture(scope="module")
def cluster(
    tmp_path_factory: pytest.TempPathFactory, repository: Path, scenario: Path, policy: Path, polling: bool
) -> Iterator[StoryCluster]:
    """A running cluster, shared by the tests of a module."""
    folder, examples = tmp_path_factory.mktemp("cluster"), repository / "examples"
    with (
        scenario_cluster(
            folder, scenario=scenario, policy=policy, rate=40, speed=20, polling=polling, numbers=SENDERS
        ) as local,
        local.client() as client,
    ):
        yield StoryCluster(local, client, folder, examples / "letter.pdf")
