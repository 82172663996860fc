"""The cluster of the stories: every process is real, and the emulator is the provider."""

import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dispatcher.client import Batch, Client, Job, NewBatch, NewFax
from dispatcher.local.cluster import LocalCluster, scenario_cluster
from dispatcher.local.doctor import examine_store
from dispatcher.local.ledger import Comparison, LedgerFax, OurJob, compare

#: far beyond what any story takes; a test that gets here has failed
PATIENCE_S = 120.0


class StoryCluster:
    """A running cluster, with the actions that the stories use."""

    def __init__(self, local: LocalCluster, client: Client, folder: Path, letter: Path) -> None:
        self.local = local
        self.client = client
        self._folder = folder
        self._letter = letter

    def start_batch(self, numbers: list[str], name: str = "story") -> Batch:
        document = self.client.upload_document(self._letter)
        batch = self.client.create_batch(NewBatch(name=name, documents=(document.id,)))
        path = self._folder / f"{batch.id}.csv"
        path.write_text("\n".join(["fax", *numbers, ""]))
        self.client.upload_recipients(batch.id, path)
        return self.client.start(batch.id)

    def wait(self, batch: str, until: Callable[[Batch], bool] = lambda batch: batch.ended) -> Batch:
        end_s = time.monotonic() + PATIENCE_S
        while True:
            seen = self.client.batch(batch)
            if until(seen):
                return seen
            assert time.monotonic() < end_s, f"waited too long: {seen}"
            time.sleep(0.1)

    def jobs(self, batch: str) -> dict[str, Job]:
        """By number."""
        return {job.number: job for job in self.client.jobs(batch)}

    def faxes(self, job: Job) -> list[LedgerFax]:
        """What the provider accepted for a job, the oldest first."""
        found = [fax for fax in self.local.emulator_api.ledger() if fax.job == job.id]
        return sorted(found, key=lambda fax: fax.accepted_ms)

    def metrics(self) -> str:
        with urllib.request.urlopen(f"{self.local.url}/metrics", timeout=10) as answer:
            text: str = answer.read().decode()
            return text

    def provider_reads(self) -> int:
        """Requests that the emulator answered, less the faxes that it took."""
        stats = self.local.emulator_api.stats()
        return int(sum(stats["requestsByStatus"].values()) - stats["accepted"])

    def single_fax(self, number: str) -> Job:
        document = self.client.upload_document(self._letter)
        return self.client.send_fax(NewFax(to=number, documents=(document.id,)))

    def doctor(self) -> list[str]:
        """What ``bulkfax doctor`` finds wrong."""
        return list(examine_store(self.local)[1])

    def compare(self, batch: str) -> Comparison:
        jobs = [OurJob(id=job.id, number=job.number, state=job.state) for job in self.client.jobs(batch)]
        ours = {job.id for job in jobs}
        return compare(jobs, [fax for fax in self.local.emulator_api.ledger() if fax.job in ours])


@pytest.fixture(scope="module")
def polling() -> bool:
    """Whether the provider cannot reach us; a module overrides it."""
    return False


@pytest.fixture(scope="module")
def scenario() -> Path:
    return Path(__file__).with_name("stories.toml")


@pytest.fixture(scope="module")
def policy(repository: Path) -> Path:
    """Seconds instead of minutes; a module overrides it."""
    return repository / "examples" / "fast-policy.toml"


@pytest.fixture(scope="module")
def cluster(
    tmp_path_factory: pytest.TempPathFactory, repository: Path, scenario: Path, policy: Path, polling: bool
) -> Iterator[StoryCluster]:
    folder, examples = tmp_path_factory.mktemp("cluster"), repository / "examples"
    with (
        scenario_cluster(folder, scenario=scenario, policy=policy, rate=40, speed=20, polling=polling) as local,
        local.client() as client,
    ):
        yield StoryCluster(local, client, folder, examples / "letter.pdf")
