"""Compares our jobs with the provider's ledger and finds lost jobs, doubled faxes and wrong states.

The functions are pure: jobs come from our API, faxes from the emulator's ledger. They do not use our own records of
what was sent.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

#: the label under which our job id comes back from the provider. It and the rules below are repeated on purpose: the
#: comparison must not share code with what it checks
JOB_LABEL = "bulkfax-job"
_FINAL = frozenset({"delivered", "delivered_unconfirmed", "failed", "cancelled", "expired"})


class ProviderOutcome(StrEnum):
    """How a fax ended at the provider."""

    UNFINISHED = "unfinished"
    DELIVERED = "delivered"
    #: all pages arrived, but the call ended with an error
    UNCONFIRMED = "unconfirmed"
    #: some pages arrived before the call failed
    PARTIAL = "partial"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerFax:
    """One fax that the provider accepted. Times are milliseconds since 1970."""

    id: str
    to: str
    #: our job id, from the label; empty if the fax has no label
    job: str
    outcome: ProviderOutcome
    accepted_ms: int
    #: None while unfinished
    ended_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OurJob:
    """A job as the API reports it."""

    id: str
    number: str
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The findings, as ids of jobs; ``strays`` are ids of faxes that belong to no job."""

    #: number of faxes that belong to one of the jobs
    faxes: int
    lost: tuple[str, ...]
    doubled: tuple[str, ...]
    wrong_state: tuple[str, ...]
    strays: tuple[str, ...]
    #: jobs that were delivered by a later fax than their first
    retried_to_delivery: int

    @property
    def clean(self) -> bool:
        return not (self.lost or self.doubled or self.wrong_state or self.strays)


def fax_from(line: Mapping[str, Any]) -> LedgerFax:
    """Read a line of ``GET /emulator/ledger``."""
    return LedgerFax(
        id=line["id"],
        to=line["to"],
        job=line["labels"].get(JOB_LABEL, ""),
        outcome=_provider_outcome(line["status"], line["pages"], line["pagesSent"]),
        accepted_ms=line["createTime"],
        ended_ms=line["finalTime"],
    )


def compare(jobs: Sequence[OurJob], faxes: Iterable[LedgerFax]) -> Comparison:
    """Compare jobs with the faxes that the provider accepted."""
    faxes = sorted(faxes, key=lambda fax: (fax.accepted_ms, fax.id))
    grouped = _by_recipient_and_job(faxes)
    faxes_by_job = {(job.number, job.id): grouped.get((job.number, job.id), []) for job in jobs}
    jobs_with_faxes = [(job, faxes_by_job[job.number, job.id]) for job in jobs]
    return Comparison(
        faxes=sum(map(len, faxes_by_job.values())),
        lost=tuple(job.id for job, sent in jobs_with_faxes if is_lost(job, sent)),
        doubled=tuple(job.id for job, sent in jobs_with_faxes if is_doubled(sent)),
        wrong_state=tuple(job.id for job, sent in jobs_with_faxes if is_wrong(job, sent)),
        strays=tuple(fax.id for fax in faxes if (fax.to, fax.job) not in faxes_by_job),
        retried_to_delivery=sum(
            any(fax.outcome is ProviderOutcome.DELIVERED for fax in sent[1:]) for _, sent in jobs_with_faxes
        ),
    )


def is_lost(job: OurJob, sent: Sequence[LedgerFax]) -> bool:
    """Return whether the job is not final, or is delivered without a delivered fax at the provider."""
    if job.state not in _FINAL:
        return True
    return job.state == "delivered" and not any(fax.outcome is ProviderOutcome.DELIVERED for fax in sent)


def is_doubled(sent: Sequence[LedgerFax]) -> bool:
    """Return whether a fax was accepted while an earlier one was unfinished, delivered or unconfirmed.

    Args:
        sent: The faxes of one job, oldest first.
    """
    return any(_forbids(earlier, later) for index, later in enumerate(sent) for earlier in sent[:index])


def is_wrong(job: OurJob, sent: Sequence[LedgerFax]) -> bool:
    """Return whether the final state contradicts the provider; a job that is not final is lost, not wrong."""
    return job.state in _FINAL and job.state not in _AGREEING[_outcome(sent)]


def _forbids(earlier: LedgerFax, later: LedgerFax) -> bool:
    ended = earlier.ended_ms is not None and earlier.ended_ms <= later.accepted_ms
    return not ended or earlier.outcome in (ProviderOutcome.DELIVERED, ProviderOutcome.UNCONFIRMED)


def _outcome(sent: Sequence[LedgerFax]) -> ProviderOutcome:
    """Return the outcome that decides for a job: the first in this order that a fax of it has, otherwise FAILED."""
    outcomes = {fax.outcome for fax in sent}
    order = (
        ProviderOutcome.DELIVERED,
        ProviderOutcome.UNFINISHED,
        ProviderOutcome.UNCONFIRMED,
        ProviderOutcome.PARTIAL,
    )
    return next((outcome for outcome in order if outcome in outcomes), ProviderOutcome.FAILED)


#: our final states that agree with the provider's outcome; whether a part of the pages counts as delivered depends on
#: the failure and on the policy
_AGREEING: Mapping[ProviderOutcome, frozenset[str]] = {
    ProviderOutcome.DELIVERED: frozenset({"delivered"}),
    ProviderOutcome.UNCONFIRMED: frozenset({"delivered_unconfirmed"}),
    ProviderOutcome.PARTIAL: frozenset({"delivered_unconfirmed", "failed", "cancelled", "expired"}),
    ProviderOutcome.FAILED: frozenset({"failed", "cancelled", "expired"}),
    ProviderOutcome.UNFINISHED: frozenset(),
}


def _provider_outcome(status: str, pages: int, pages_sent: int) -> ProviderOutcome:
    if status == "COMPLETED":
        return ProviderOutcome.DELIVERED
    if status != "FAILURE":
        return ProviderOutcome.UNFINISHED
    if pages_sent <= 0:
        return ProviderOutcome.FAILED
    return ProviderOutcome.UNCONFIRMED if pages_sent >= pages else ProviderOutcome.PARTIAL


def _by_recipient_and_job(faxes: Iterable[LedgerFax]) -> dict[tuple[str, str], list[LedgerFax]]:
    grouped: dict[tuple[str, str], list[LedgerFax]] = defaultdict(list)
    for fax in faxes:
        grouped[fax.to, fax.job].append(fax)
    return grouped
