"""The verdict of a drill: compares jobs with the provider's ledger, and includes the findings of ``bulkfax doctor``."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from dispatcher.client import Client, Job, JobStory
from dispatcher.local.doctor import examine_store
from dispatcher.local.ledger import Comparison, LedgerFax, OurJob, compare
from tests.chaos.cluster import ChaosCluster
from tests.chaos.mailings import Accepted

#: maximum jobs whose history is shown
_MAX_SHOWN = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The result of comparing jobs, batches and the provider's ledger."""

    comparison: Comparison
    #: numbers that the API accepted and no job has
    missing: tuple[str, ...]
    #: descriptions of counts and indexes that disagree with the records
    count_errors: tuple[str, ...]
    faxes: tuple[LedgerFax, ...]
    #: number of jobs in state ``sending``, which then are not lost; 0 without ``unclear_may_stay``
    unclear: int = 0

    @property
    def lost(self) -> int:
        """The number of lost jobs and missing numbers."""
        return len(self.comparison.lost) + len(self.missing)

    @property
    def wrong_state(self) -> int:
        """The number of jobs in a wrong state, and of faxes that belong to no job."""
        return len(self.comparison.wrong_state) + len(self.comparison.strays)

    @property
    def clean(self) -> bool:
        """Whether nothing was wrong."""
        return self.comparison.clean and not self.missing and not self.count_errors

    @property
    def suspects(self) -> tuple[str, ...]:
        """The jobs that were doubled, lost or in a wrong state."""
        comparison = self.comparison
        return tuple(dict.fromkeys([*comparison.doubled, *comparison.wrong_state, *comparison.lost]))


def judge(cluster: ChaosCluster, client: Client, accepted: Accepted, *, unclear_may_stay: bool = False) -> Verdict:
    """Compare jobs, batches and the ledger.

    Args:
        cluster: The cluster of the drill.
        client: A client of its API.
        accepted: What the API has accepted.
        unclear_may_stay: Whether an unclear job is not lost.

    Raises:
        ClientError: The API cannot be read.
        LocalError: The emulator or the store cannot be read.
    """
    jobs = {batch: list(client.jobs(batch)) for batch in accepted.batches}
    singles = [client.job(job) for job in accepted.singles]
    ours = [*singles, *(job for listed in jobs.values() for job in listed)]
    faxes = tuple(cluster.local.emulator_api.ledger())
    comparison = compare([OurJob(id=job.id, number=job.number or "", state=job.state) for job in ours], faxes)
    unclear = {job.id for job in ours if job.state == "sending"} if unclear_may_stay else set()
    comparison = replace(comparison, lost=tuple(job for job in comparison.lost if job not in unclear))
    healthy, findings = examine_store(cluster.local)
    return Verdict(
        comparison=comparison,
        missing=tuple(_missing(jobs, accepted.batches)),
        count_errors=(*(() if healthy else findings or ("doctor failed",)), *_miscounted(client, jobs)),
        faxes=faxes,
        unclear=len(unclear),
    )


def _missing(jobs: Mapping[str, Iterable[Job]], numbers: Mapping[str, Sequence[str]]) -> Iterator[str]:
    for batch, uploaded in numbers.items():
        yield from (Counter(uploaded) - Counter(job.number or "" for job in jobs[batch])).elements()


def _miscounted(client: Client, jobs: Mapping[str, Sequence[Job]]) -> Iterator[str]:
    for batch, listed in jobs.items():
        counts = {state: count for state, count in client.batch(batch).counts.items() if count}
        states = dict(Counter(job.state for job in listed))
        if counts != states:
            yield f"batch {batch}: its counts are {counts}, but its jobs have the states {states}"


def describe_suspects(client: Client, verdict: Verdict) -> Iterator[str]:
    """Describe the first suspects with history and faxes, then numbers without a job and faxes without a job."""
    by_job: dict[str, list[LedgerFax]] = defaultdict(list)
    for fax in verdict.faxes:
        by_job[fax.job].append(fax)
    for job_id in verdict.suspects[:_MAX_SHOWN]:
        yield f"\n{_describe_job(client.job(job_id))}"
        yield from (f"  provider: {fax}" for fax in by_job[job_id])
    yield from (f"accepted number without a job: {number}" for number in verdict.missing[:_MAX_SHOWN])
    yield from (
        f"fax without a job: {fax}" for fax in verdict.faxes if fax.id in verdict.comparison.strays[:_MAX_SHOWN]
    )


def _describe_job(job: JobStory) -> str:
    history = "".join(f"\n  history: {entry}" for entry in job.history)
    return f"{job.id} {job.state} attempt {job.attempt} fax {job.fax_id}{history}"


def result(
    verdict: Verdict, *, jobs: int, kills: int, faults: Mapping[str, int], seconds: float, share: float
) -> dict[str, Any]:
    """Return the result of the drill for ``--json``. ``share`` is the used share of the rate."""
    return {
        "jobs": jobs,
        "kills": kills,
        "faults": dict(sorted(faults.items())),
        "lost": verdict.lost,
        "doubled": len(verdict.comparison.doubled),
        "wrong_state": verdict.wrong_state,
        "unclear": verdict.unclear,
        "count_errors": len(verdict.count_errors),
        "rate_share": round(share, 3),
        "seconds": round(seconds, 1),
    }
