"""What the API answers, typed. Fields that a newer API adds are ignored; times are aware ``datetime`` values."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

BatchState = Literal["draft", "scheduled", "running", "held", "paused", "ending", "finished", "cancelled", "expired"]
JobState = Literal[
    "waiting", "leased", "sending", "accepted", "delivered", "delivered_unconfirmed", "failed", "cancelled", "expired"
]
#: states that no job leaves
FINAL_STATES: tuple[JobState, ...] = ("delivered", "delivered_unconfirmed", "failed", "cancelled", "expired")
#: states that a batch leaves only by a command that does not exist
ENDED_STATES: tuple[BatchState, ...] = ("finished", "cancelled", "expired")


class Answer(BaseModel):
    """Base of all answers: immutable, tolerant of new fields."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Document(Answer):
    """An uploaded document; ``id`` is the SHA-256 of its bytes."""

    id: str
    size: int
    pages: int
    name: str = ""


class FaxOptions(BaseModel):
    """Options that the provider applies to every fax of a batch; what is left out takes the provider's default."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    sender: str | None = Field(default=None, alias="from")
    service_id: str | None = None
    header_text: str | None = None
    header_page_numbers: bool | None = None
    header_time_zone: str | None = None
    resolution: str | None = None
    image_conversion_method: str | None = None
    cover_page_id: str | None = None
    #: merge fields of the cover page, for rows whose own fields of these names are empty or missing
    cover_page_data: dict[str, str] | None = None


class NewBatch(BaseModel):
    """A batch to be created. At least one document or content URL."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    documents: tuple[str, ...] = ()
    content_urls: tuple[str, ...] = ()
    options: FaxOptions = FaxOptions()
    priority: Literal["bulk", "urgent"] = "bulk"
    weight: int = 1
    default_country: str | None = None
    on_partial: Literal["resume", "resend", "stop"] | None = None
    start_at: datetime | None = None
    deadline: datetime | None = None


class NewFax(BaseModel):
    """One fax, to be sent at once. ``country`` is needed for a number in national form."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    to: str
    country: str | None = None
    documents: tuple[str, ...] = ()
    content_urls: tuple[str, ...] = ()
    reference: str | None = None
    #: merge fields of the cover page
    fields: dict[str, str] = {}
    options: FaxOptions = FaxOptions()


class Hold(Answer):
    """Sending stopped for a scope until a probe succeeds or someone releases it."""

    scope: str
    category: str = ""
    cause: str = ""
    since: datetime | None = None
    probe_at: datetime | None = None


class Batch(Answer):
    """One mailing: ``rows`` are its jobs, ``lines`` all lines given, counts by state and by category."""

    id: str
    name: str = ""
    state: BatchState
    created_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    start_at: datetime | None = None
    deadline: datetime | None = None
    parent: str | None = None
    priority: str = "bulk"
    weight: int = 1
    documents: tuple[str, ...] = ()
    content_urls: tuple[str, ...] = ()
    #: those that were given
    options: dict[str, Any] = {}
    default_country: str = ""
    rows: int = 0
    refused: int = 0
    duplicates: int = 0
    lines: int = 0
    counts: dict[JobState, int] = {}
    categories: dict[str, dict[str, int]] = {}
    attempts: int = 0
    doubled: int = 0
    limited_by: str | None = None
    holds: tuple[Hold, ...] = ()
    refused_reasons: dict[str, int] = {}
    #: attempts that are still running out; only in answers to pause and cancel
    in_flight: int | None = None

    @property
    def final(self) -> int:
        """Jobs in a final state."""
        return sum(self.counts.get(state, 0) for state in FINAL_STATES)

    @property
    def ended(self) -> bool:
        return self.state in ENDED_STATES


class BatchPage(Answer):
    """Batches, newest first; ``next`` goes into ``before`` of the next call."""

    batches: tuple[Batch, ...]
    next: str | None = None


class RefusedRow(Answer):
    """One line that became no job. ``number`` as it was given."""

    line: int
    number: str = ""
    reason: str
    detail: str = ""


class RefusedPage(Answer):
    refused: tuple[RefusedRow, ...]
    next: int | None = None


class Upload(Answer):
    """What became of an uploaded list of recipients."""

    upload: str
    lines: int
    accepted: int
    refused: int
    duplicates: int
    refused_sample: tuple[RefusedRow, ...] = ()


class HistoryEntry(Answer):
    """What became of one attempt of a job."""

    attempt: int
    at: datetime | None = None
    outcome: str = ""
    category: str = ""
    error_type: str = ""
    error_code: int = 0
    fax_id: str = ""
    pages_sent: int = 0
    pages_total: int = 0
    why: str = ""


class Job(Answer):
    """One recipient. ``history`` and ``explanation`` come only when the job is asked for by its id."""

    id: str
    batch: str = ""
    row: int = 0
    line: int = 0
    number: str = ""
    reference: str = ""
    fields: dict[str, str] = {}
    state: JobState
    category: str = ""
    error_type: str = ""
    error_code: int = 0
    attempt: int = 0
    dials: int = 0
    tries: int = 0
    pages_sent: int = 0
    pages_total: int = 0
    fax_id: str = ""
    changed_at: datetime | None = None
    next_at: datetime | None = None
    doubled: bool = False
    history: tuple[HistoryEntry, ...] = ()
    explanation: str = ""


class JobPage(Answer):
    """Jobs in the order of their rows; ``next`` goes into ``after`` of the next call."""

    jobs: tuple[Job, ...]
    next: int | None = None


class Limit(Answer):
    """A limit of the account: most requests in a second, minute or day, who gave it, and what counts against it now."""

    per: str
    limit: float
    source: str = ""
    used: int | None = None


class UnknownFax(Answer):
    """A fax with our labels whose job is not there any more."""

    fax_id: str
    job: str
    attempt: int
    created_at: datetime | None = None


class Rollback(Answer):
    """The last time that Redis lost writes: sending is held from ``noticed_at`` to ``resumed_at``.

    ``adopted`` faxes were unknown to the record, ``accepted_twice`` are attempts that the provider has two faxes of.
    """

    cause: str
    noticed_at: datetime
    since: datetime
    ready_at: datetime
    reconciled_at: datetime | None = None
    accepted_at: datetime | None = None
    resumed_at: datetime | None = None
    adopted: int = 0
    accepted_twice: int = 0
    unknown: int = 0
    unknown_faxes: tuple[UnknownFax, ...] = ()


class Account(Answer):
    """How the account's rate is used. Rates are faxes a second; ``raw`` holds everything that was answered."""

    model_config = ConfigDict(frozen=True, extra="allow")

    rate_per_second: float | None = None
    rate_now: float | None = None
    limits: tuple[Limit, ...] = ()
    blocked_until: datetime | None = None
    blocked_by: str | None = None
    limited_by: str | None = None
    used_ratio: float | None = None
    in_flight: int | None = None
    #: attempts that may have reached the provider, and are looked for there
    unclear: int | None = None
    holds: tuple[Hold, ...] = ()
    #: None when Redis has never lost writes
    rollback: Rollback | None = None


class Readiness(Answer):
    """Whether the API can work; ``reason`` says why not."""

    ready: bool
    reason: str = ""


JsonObject = dict[str, Any]
