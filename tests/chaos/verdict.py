"""What came of a drill: our records held against the provider's ledger, and what the doctor says."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from dispatcher.client import Client, Job, JobStory
from dispatcher.local.doctor import examine_store
from dispatcher.local.ledger import Comparison, LedgerFax, OurJob, compare
from tests.chaos.cluster import ChaosCluster
from tests.chaos.mailings import Accepted

#: jobs whose whole story is told
_TOLD = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Findings by id of job; ``missing`` are numbers that were accepted and are in no record."""

    comparison: Comparison
    missing: tuple[str, ...]
    #: sentences: counts and places that are not what the records say
    count_errors: tuple[str, ...]
    faxes: tuple[LedgerFax, ...]
    #: jobs that are still searched for, where that is no loss
    unclear: int = 0

    @property
    def lost(self) -> int:
        return len(self.comparison.lost) + len(self.missing)

    @property
    def wrong_state(self) -> int:
        """Faxes at the provider that belong to no job are as wrong as a wrong state."""
        return len(self.comparison.wrong_state) + len(self.comparison.strays)

    @property
    def clean(self) -> bool:
        return self.comparison.clean and not self.missing and not self.count_errors

    @property
    def suspects(self) -> tuple[str, ...]:
        found = self.comparison
        return tuple(dict.fromkeys([*found.doubled, *found.wrong_state, *found.lost]))


def judge(cluster: ChaosCluster, client: Client, accepted: Accepted, *, unclear_may_stay: bool = False) -> Verdict:
    """Compare everything. Raises ClientError and Failure when one of the sides cannot be asked.

    ``unclear_may_stay``: a job that is still searched for is not lost.
    """
    jobs = {batch: list(client.jobs(batch)) for batch in accepted.batches}
    singles = [client.job(job) for job in accepted.singles]
    ours = [*singles, *(job for listed in jobs.values() for job in listed)]
    faxes = tuple(cluster.local.emulator_api.ledger())
    comparison = compare([OurJob(id=job.id, number=job.number, state=job.state) for job in ours], faxes)
    searched = {job.id for job in ours if job.state == "sending"} if unclear_may_stay else set()
    comparison = replace(comparison, lost=tuple(job for job in comparison.lost if job not in searched))
    healthy, findings = examine_store(cluster.local)
    return Verdict(
        comparison=comparison,
        missing=tuple(_missing(jobs, accepted.batches)),
        count_errors=(*(() if healthy else findings or ("doctor failed",)), *_miscounted(client, jobs)),
        faxes=faxes,
        unclear=len(searched),
    )


def _missing(jobs: Mapping[str, Iterable[Job]], numbers: Mapping[str, Sequence[str]]) -> Iterator[str]:
    for batch, given in numbers.items():
        yield from (Counter(given) - Counter(job.number for job in jobs[batch])).elements()


def _miscounted(client: Client, jobs: Mapping[str, Sequence[Job]]) -> Iterator[str]:
    for batch, listed in jobs.items():
        counts = {state: count for state, count in client.batch(batch).counts.items() if count}
        states = dict(Counter(job.state for job in listed))
        if counts != states:
            yield f"batch {batch} counts {counts} and its jobs are {states}"


def stories(client: Client, verdict: Verdict) -> Iterator[str]:
    """All that is known of the first suspects, from both sides."""
    by_job: dict[str, list[LedgerFax]] = defaultdict(list)
    for fax in verdict.faxes:
        by_job[fax.job].append(fax)
    for name in verdict.suspects[:_TOLD]:
        yield f"\n{_own_words(client.job(name))}"
        yield from (f"  provider: {fax}" for fax in by_job[name])
    yield from (f"number accepted and in no record: {number}" for number in verdict.missing[:_TOLD])
    yield from (f"fax of no job: {fax}" for fax in verdict.faxes if fax.id in verdict.comparison.strays[:_TOLD])


def _own_words(job: JobStory) -> str:
    told = "".join(f"\n  history: {entry}" for entry in job.history)
    return f"{job.id} {job.state} attempt {job.attempt} fax {job.fax_id}{told}"


def result(
    verdict: Verdict, *, jobs: int, kills: int, faults: Mapping[str, int], seconds: float, share: float
) -> dict[str, Any]:
    """The last line. ``share`` is that of the possible rate."""
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
