"""What the API answers. Fields that a newer API adds are ignored; times are aware ``datetime`` values.

Fields have defaults so that a client can read the answer of an older API. The API itself always sends every field, and
its description says so.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, WithJsonSchema

from dispatcher.core.batch_events import EventType
from dispatcher.core.diagnosis import Cause as FindingCause
from dispatcher.core.job import AttemptOutcome, FaxFate
from dispatcher.core.limits.limited_by import LimitedBy as LimitedByWord
from dispatcher.core.retry_table.rule import ERROR_TYPES
from dispatcher.core.retry_table.rule import Category as FailureCategory
from dispatcher.core.suppressions import SuppressionSource
from dispatcher.core.webhooks import DeliveryResult
from dispatcher.schema.problem_types import PROBLEM_TYPES
from dispatcher.schema.requests import OnPartial, Options
from dispatcher.schema.states import ENDED_STATES, FINAL_STATES, JobState, ShownBatchState, ShownJobState


def _rfc3339(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _never_null(schema: dict[str, Any]) -> None:
    """Describe a field that the API always sends and a client may find missing."""
    schema.update(schema.pop("anyOf")[0])


def _without_defaults(schema: dict[str, Any]) -> None:
    """Leave the defaults out of the description: they are what a client reads into an answer without the field."""
    for field in schema["properties"].values():
        field.pop("default", None)


#: RFC 3339 in UTC with milliseconds
Time = Annotated[
    datetime,
    PlainSerializer(_rfc3339, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]


def _word_of(words: Iterable[str]) -> WithJsonSchema:
    """Describe a text as a word of a closed set. A client reads the words of a newer API as well."""
    return WithJsonSchema({"type": "string", "enum": list(words)})


LimitedBy = Annotated[str, _word_of(LimitedByWord)]
Category = Annotated[str, _word_of(FailureCategory)]
ErrorType = Annotated[str, _word_of(filter(None, ERROR_TYPES))]
Outcome = Annotated[str, _word_of(AttemptOutcome)]
Fate = Annotated[str, _word_of(FaxFate)]
Source = Annotated[str, _word_of(SuppressionSource)]
Cause = Annotated[str, _word_of(FindingCause)]


def _as_options(schema: dict[str, Any]) -> None:
    """Describe the options of an answer as those of a request that were given, each without null."""
    fields = Options.model_json_schema(by_alias=True)["properties"]
    for field in fields.values():
        field.pop("default", None)
        if "anyOf" in field:
            _never_null(field)
    schema.update({"properties": fields, "additionalProperties": False})


class Response(BaseModel):
    """Base of all answers: immutable, and tolerant of new fields."""

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        # a command uses few of the models: the others need not be built
        defer_build=True,
        json_schema_serialization_defaults_required=True,
        json_schema_extra=_without_defaults,
    )


class DocumentWarning(Response):
    """What may be unwanted about how a document looks as a fax."""

    code: str = Field(description="What it is, as a fixed word.")
    page: int | None = Field(
        default=None, description="Page that it is about, counted from 1; null for the whole document."
    )
    sentence: str = Field(description="What it is and what to do, for people.")


class Document(Response):
    """An uploaded document."""

    id: str = Field(description="SHA-256 of the document's bytes.")
    size: int = Field(description="Size in bytes.")
    pages: int = Field(description="Number of pages.")
    name: str | None = Field(default=None, description="File name given with the upload; null if none was given.")
    warnings: tuple[DocumentWarning, ...] = Field(
        default=(), description="Warnings that `start` has to be allowed; documents of earlier versions have none."
    )
    sending_s: float | None = Field(
        default=None,
        description="Least seconds that a call takes for all pages, at 14,400 bit/s; null if it is not known.",
    )


class Hold(Response):
    """Sending is stopped for a scope, until a probe succeeds or someone releases the hold."""

    scope: str = Field(
        description="What is held, such as `account`, `provider`, `batch:<id>` or `country:<code>`. Of several jobs, "
        "the one that has been held longest."
    )
    batch: str | None = Field(
        default=None, description="Id of the batch whose jobs are held one by one; null for another scope."
    )
    jobs: int | None = Field(
        default=None,
        description="Number of jobs of `batch` that are held for this category, for which this entry stands; null for "
        "another scope.",
    )
    category: Category | None = Field(
        default=None, description="Failure category that opened the hold; null if it cannot be read."
    )
    cause: str | None = Field(
        default=None, description="Why sending is stopped, in a sentence for people; null if it cannot be read."
    )
    since: Time | None = Field(default=None, description="When the hold was opened; null if it cannot be read.")
    probe_at: Time | None = Field(
        default=None, description="When the next probe is made; null if someone has to release the hold."
    )


class HoldPage(Response):
    """A part of the list of holds, the widest scope first."""

    holds: tuple[Hold, ...] = Field(description="The holds of this page.")
    total: int = Field(default=0, description="Number of entries on all pages.")
    next: str | None = Field(default=None, description="Value of `after` for the next page; null on the last one.")


class Wait(Response):
    """Jobs of a batch that wait after a failure of one category."""

    category: Category = Field(description="Failure category of the latest failure.")
    jobs: int = Field(description="Number of jobs that wait.")
    held: int = Field(default=0, description="Number of them that are held one by one until someone releases them.")
    next_at: Time | None = Field(
        default=None, description="When the first of the others is tried again, to the minute; null if none has a time."
    )
    last_at: Time | None = Field(default=None, description="When the last of the others is tried again.")


class Batch(Response):
    """One mailing with its counts."""

    id: str = Field(description="Id of the batch.")
    name: str | None = Field(default=None, description="Name of the batch, for people; null if it cannot be read.")
    state: ShownBatchState = Field(
        description="State of the batch; `unreadable` in a list if its stored data is damaged."
    )
    created_at: Time | None = Field(default=None, description="When the batch was created; null if it cannot be read.")
    started_at: Time | None = Field(default=None, description="When the batch was started; null before.")
    finished_at: Time | None = Field(default=None, description="When its last job ended; null before.")
    expired_because: Literal["deadline", "not_started"] | None = Field(
        default=None,
        description="Why the batch has expired: its deadline passed, or nobody started the draft; null if it has not.",
    )
    start_at: Time | None = Field(default=None, description="When a started batch begins to send; null for at once.")
    deadline: Time | None = Field(default=None, description="When jobs that have not ended expire; null for never.")
    parent: str | None = Field(
        default=None, description="Id of the batch, or of the first batch, that this one is a rerun of; null for none."
    )
    parents: tuple[str, ...] = Field(default=(), description="Ids of all batches that this one is a rerun of.")
    reason: str | None = Field(default=None, description="Why it is a rerun, as the request said; null if it is none.")
    reruns: tuple[str, ...] = Field(
        default=(), description="Ids of the batches that are reruns of this one, newest first, 100 at most."
    )
    deleted: tuple[str, ...] = Field(
        default=(), description="Those of `parents` and `reruns` that were deleted, as long as that is known."
    )
    priority: Literal["bulk", "urgent"] = Field(
        default="bulk", description="Urgent batches are sent before all bulk batches."
    )
    weight: int = Field(default=1, description="Share of the rate in relation to other batches of the same priority.")
    max_per_second: float | None = Field(
        default=None, description="Maximum sends of this batch in a second; null for the account's rate alone."
    )
    documents: tuple[str, ...] = Field(default=(), description="Ids of documents, in the order of their pages.")
    content_urls: tuple[str, ...] = Field(
        default=(), description="Addresses of documents that the provider fetches; their pages come first."
    )
    options: dict[str, str | bool | dict[str, str]] = Field(
        default={},
        description="Options that the provider applies to every fax; only those that were given.",
        json_schema_extra=_as_options,
    )
    on_partial: OnPartial | None = Field(
        default=None,
        description="What to do when a call failed after some pages arrived; null if the retry policy decides.",
    )
    default_country: str | None = Field(
        default=None, description="Country of numbers in national form, as two letters; null if there is none."
    )
    metadata: dict[str, str] = Field(default={}, description="The producer's own keys and values.")
    rows: int = Field(default=0, description="Number of jobs.")
    lines: int = Field(
        default=0, description="Number of jobs, duplicates, and refused, opted-out and suppressed rows together."
    )
    refused: int = Field(default=0, description="Number of rows that cannot be faxed.")
    opted_out: int = Field(default=0, description="Number of rows whose recipients have opted out.")
    suppressed: int = Field(default=0, description="Number of rows whose numbers were on the do-not-fax list.")
    duplicates: int = Field(default=0, description="Number of rows whose number was in the batch already.")
    counts: dict[JobState, int] = Field(default={}, description="Number of jobs by state.")
    categories: dict[str, dict[str, int]] = Field(
        default={}, description="Number of jobs in final states, by state and failure category."
    )
    version: int = Field(
        default=1, description="Version of what is sent: 1 at first, and one more with each change of it."
    )
    withheld: int = Field(
        default=0, description="Number of jobs that wait for `continue`, because only a part was started."
    )
    attempts: int = Field(default=0, description="Number of attempts that the provider accepted or may have accepted.")
    ignore_dead_numbers: bool = Field(
        default=False, description="Whether numbers are faxed that only calls have proved dead."
    )
    job_events: bool = Field(default=False, description="Whether each job that ends has an event (`job.final`).")
    doubled: int = Field(
        default=0, description="Number of jobs that the provider accepted a second fax of while the first counted."
    )
    holds: tuple[Hold, ...] = Field(default=(), description="Holds that stop the batch, or its jobs to a country.")
    held_jobs: dict[str, int] = Field(
        default={}, description="Number of jobs that are held one by one until someone releases them, by category."
    )
    limited_by: LimitedBy | None = Field(
        default=None, description="Why nothing is sent, or not faster; null when nothing waits."
    )
    refused_reasons: dict[str, int] = Field(default={}, description="Number of refused rows by reason.")
    progress: float | None = Field(
        default=None, description="Share of the jobs that are final, from 0 to 1, rounded down; null without jobs."
    )
    rate_now: float | None = Field(
        default=None, description="Number of jobs that ended in a second, over the last minute; null before the start."
    )
    eta: Time | None = Field(
        default=None,
        description="When the last job will have ended, as far as is known. Null if the batch has ended, if somebody "
        "has to do something first (`limited_by`, `held_jobs`, `withheld`), or if nothing has ended lately.",
    )
    eta_basis: Literal["rate", "retries", "deadline"] | None = Field(
        default=None,
        description="What `eta` rests on: `rate_now`; the last retry that waits, after which more may follow; or the "
        "deadline.",
    )
    waits: tuple[Wait, ...] | None = Field(
        default=None,
        description="What jobs wait for that have failed before, by category, most jobs first; null in a list.",
    )
    pages_sent: int = Field(default=0, description="Number of pages that have arrived.")
    cost: dict[str, str] = Field(
        default={},
        description="What the provider has charged so far for faxes that have ended, by currency, as decimal numbers.",
    )

    @property
    def final(self) -> int:
        """Number of jobs in a final state."""
        return sum(self.counts.get(state, 0) for state in FINAL_STATES)

    @property
    def arrived(self) -> int:
        """Number of jobs whose fax has arrived, or some pages of it."""
        return self.counts.get("delivered", 0) + self.counts.get("delivered_unconfirmed", 0)

    @property
    def at_rest(self) -> bool:
        """Whether nothing more is sent by itself: it has ended, or all that is left waits for ``continue``."""
        return self.ended or 0 < self.withheld == self.rows - self.final

    @property
    def ended(self) -> bool:
        """Whether the batch is in a state that it does not leave."""
        return self.state in ENDED_STATES


class Finding(Response):
    """One thing about a batch, and what to do about it."""

    cause: Cause = Field(description="What it is about, as a fixed word.")
    sentence: str = Field(description="What is wrong, in a sentence for people.")
    meaning: str = Field(default="", description="What it means and what to do, for people.")
    commands: tuple[str, ...] = Field(default=(), description="Commands that put it right, in this order.")
    jobs: int = Field(default=0, description="Number of jobs that it concerns.")
    share: float = Field(default=0.0, description="Share of the batch's jobs, from 0 to 1.")
    since: Time | None = Field(
        default=None, description="Since when; of failures, the earliest that was looked at. Null if it is not known."
    )
    until: Time | None = Field(
        default=None, description="When it is tried again by itself: a probe, or the next attempt; null for never."
    )
    examples: tuple[str, ...] = Field(default=(), description="Ids of some of the jobs, three at most.")


class Diagnosis(Response):
    """What is wrong with a batch, in plain words."""

    batch: str = Field(description="Id of the batch.")
    state: ShownBatchState = Field(description="State of the batch.")
    limited_by: LimitedBy | None = Field(
        default=None, description="Why nothing is sent, or not faster; null when nothing waits."
    )
    findings: tuple[Finding, ...] = Field(
        description="What is wrong, the most important first; `nothing_wrong` alone if nothing is."
    )
    looked_at: int = Field(
        default=0, description="Number of jobs of which examples, times and prefixes are. Counts are of all jobs."
    )


class CommandedBatch(Batch):
    """A batch after a command."""

    not_checked: tuple[str, ...] = Field(
        default=(), description="Addresses of `content_urls`: nobody has looked at the documents there."
    )

    in_flight: int | None = Field(
        default=None,
        description="Number of calls that were being made at that moment and end on their own.",
        json_schema_extra=_never_null,
    )


class ChangedBatch(Batch):
    """A batch after a change; after a dry run as it is."""

    changed: tuple[str, ...] = Field(default=(), description="Fields that have another value, as in `options.from`.")
    ended_holds: tuple[Hold, ...] = Field(
        default=(), description="Holds that ended by the change, because it removed their cause."
    )
    in_flight: int = Field(
        default=0,
        description="Number of jobs whose call goes on as it was begun before: they are being sent, or the provider "
        "has their fax. No other job is sent as before.",
    )
    not_checked: tuple[str, ...] = Field(
        default=(), description="Addresses of `content_urls`: nobody has looked at the documents there."
    )
    dry_run: bool = Field(default=False, description="Whether nothing was changed.")


class CancelledJobs(Response):
    """How many jobs were cancelled, or would be. Of a large batch, one answer may be about a part of the rows."""

    batch: str = Field(description="Id of the batch.")
    jobs: int = Field(description="Number of jobs that were cancelled, or would be.")
    in_flight: int = Field(
        default=0,
        description="Number of jobs that match and whose call is under way. They are not cancelled: a call that fails "
        "lets its job wait for a retry, which a repeat of the request cancels.",
    )
    preview: bool = Field(default=False, description="Whether nothing was cancelled.")
    next: str | None = Field(default=None, description="Value of `after` for the other rows; null if there are none.")


class Price(Response):
    """What all faxes of a batch cost if each arrives at its first attempt."""

    amount: str = Field(description="The price as a decimal number with two places.")
    currency: str | None = Field(default=None, description="Currency of the price list; null if it names none.")
    unpriced: int = Field(default=0, description="Number of jobs that the list has no price for; they are not counted.")
    estimated: bool = Field(
        default=False, description="Whether prices depend on the numbers and only some numbers were looked at."
    )


#: a client reads those of a newer API as well
Permission = Annotated[str, WithJsonSchema({"type": "string", "enum": ["allow_warnings", "allow_repeat"]})]


class Repeat(Response):
    """An earlier batch that a draft repeats: the same content to some of the same recipients."""

    batch: str = Field(description="Id of the earlier batch.")
    shared: int = Field(description="Number of recipients that both have; an estimate for long lists.")
    sentence: str = Field(description="What is repeated, and what to do.")


class Rerun(Response):
    """What one new batch of a rerun would send. Counts of an incomplete preview are those of a part of the jobs."""

    batches: tuple[str, ...] = Field(description="Ids of the batches whose jobs it would run again.")
    name: str = Field(default="", description="Name of the new batch.")
    jobs: int = Field(description="Number of jobs that would be sent.")
    countries: dict[str, int] = Field(
        default={}, description="Number of jobs by country (two letters; `001` for numbers of no country)."
    )
    left_out: dict[str, int] = Field(
        default={},
        description="Number of jobs that would not be sent, by reason: their state; `not_matching` for those in the "
        "states that the filter leaves out; `suppressed` for numbers on the do-not-fax list; `duplicate` for numbers "
        "that are in several of the batches; the reason of a refused row for numbers that the policy does not allow.",
    )
    estimated: bool = Field(default=False, description="Whether the number of duplicates is estimated.")
    pages: int | None = Field(
        default=None, description="Number of pages of a fax without its cover page; null if a document is not known."
    )
    pages_total: int | None = Field(default=None, description="Number of pages of all faxes; null if not known.")
    sending_minutes: float | None = Field(
        default=None, description="Least minutes of all calls together; null if not known."
    )
    price: Price | None = Field(default=None, description="What all faxes cost; null without a price list.")
    rate: float = Field(default=0.0, description="Requests to the provider in a second, now.")
    starts_at: Time | None = Field(default=None, description="When sending would begin.")
    finishes_at: Time | None = Field(
        default=None, description="When the last fax would be sent at today's rate; null if nobody can say."
    )
    limited_by: LimitedBy | None = Field(default=None, description="What would keep it from being faster.")
    repeats: Repeat | None = Field(
        default=None,
        description="An earlier batch that the start would repeat: it needs `allow_repeat`; null for none.",
    )


class RerunPreview(Response):
    """What a rerun would do. Nothing was created."""

    id: str | None = Field(
        default=None, description="Id of a preview that is not complete; `/v1/rerun-previews/{id}` continues it."
    )
    complete: bool = Field(description="Whether all jobs were looked at.")
    progress: float = Field(description="Share of the jobs that were looked at, from 0 to 1.")
    jobs: int = Field(description="Number of jobs that would be sent.")
    pages_total: int | None = Field(default=None, description="Number of pages of all faxes; null if not known.")
    sending_minutes: float | None = Field(
        default=None, description="Least minutes of all calls together; null if not known."
    )
    new_batches: tuple[Rerun, ...] = Field(default=(), description="The new batches: one of all that send the same.")


class RerunBatches(Response):
    """The batches of a rerun of several batches."""

    batches: tuple[Batch, ...] = Field(description="The new batches: one of all that send the same.")


class Forecast(Response):
    """What a batch will send, and when it will have sent it."""

    batch: str = Field(description="Id of the batch.")
    recipients: int = Field(description="Number of jobs.")
    countries: dict[str, int] = Field(
        default={}, description="Number of jobs by country (two letters; `001` for numbers of no country)."
    )
    lines: int = Field(default=0, description="Number of jobs, duplicates and refused rows together.")
    refused: int = Field(default=0, description="Number of rows that became no job.")
    refused_reasons: dict[str, int] = Field(default={}, description="Number of refused rows by reason.")
    duplicates: int = Field(default=0, description="Number of rows whose number was in the batch already.")
    opted_out: int = Field(default=0, description="Number of rows whose recipients have opted out.")
    suppressed: int = Field(default=0, description="Number of rows whose numbers are on the do-not-fax list.")
    pages: int | None = Field(
        default=None, description="Number of pages of a fax without its cover page; null if a document is not known."
    )
    pages_total: int | None = Field(default=None, description="Number of pages of all faxes; null if not known.")
    sending_s: float | None = Field(
        default=None,
        description="Least seconds in which a line sends all pages of a fax at 14.4 kbit/s; null if not known.",
    )
    sending_minutes: float | None = Field(default=None, description="Minutes of all faxes; null if not known.")
    warnings: tuple[DocumentWarning, ...] = Field(
        default=(), description="Warnings about its documents, in their order, that `start` has to be allowed."
    )
    repeats: Repeat | None = Field(
        default=None, description="Earlier batch that a start of this draft would repeat; null if there is none."
    )
    start_needs: tuple[Permission, ...] = Field(
        default=(), description="What `start` of this draft has to be allowed. The API key of the request counts."
    )
    price: Price | None = Field(
        default=None, description="Price by the policy's price list; null without one, or if the pages are not known."
    )
    unchecked_urls: tuple[str, ...] = Field(
        default=(), description="Documents that the provider fetches: nobody has looked at their pages."
    )
    jobs: int = Field(default=0, description="Number of jobs that are still to be sent.")
    other_jobs: int = Field(default=0, description="Number of jobs of other batches that are sent meanwhile.")
    rate: float = Field(default=0.0, description="Requests to the provider in a second, now.")
    starts_at: Time | None = Field(default=None, description="When sending begins if the batch is started now.")
    finishes_at: Time | None = Field(
        default=None,
        description="When the last first attempt is made, at today's rate and without retries; null if nobody can say.",
    )
    limited_by: LimitedBy | None = Field(
        default=None, description="What keeps it from being sent earlier; null when nothing is left to send."
    )


class BatchPage(Response):
    """Batches, newest first."""

    batches: tuple[Batch, ...] = Field(description="The batches of this page.")
    next: str | None = Field(default=None, description="Value of `after` for the next page; null on the last one.")


class RefusedRow(Response):
    """A row of the list that became no job."""

    line: int = Field(description="Line of the list, counted from 1.")
    number: str | None = Field(
        default=None, description="The number as the list has it, cut to 40 characters; null if the row has none."
    )
    reason: str = Field(description="Why the row was refused, as a fixed word.")
    detail: str | None = Field(default=None, description="What to do, in a sentence for people; null if that is clear.")


class RefusedPage(Response):
    """Refused rows in the order of the list."""

    refused: tuple[RefusedRow, ...] = Field(description="The refused rows of this page.")
    next: str | None = Field(default=None, description="Value of `after` for the next page; null on the last one.")


class UsedColumns(Response):
    """The headings of the columns that were used; null where the list has no such column."""

    number: str | None = Field(default=None, description="Column of the fax number.")
    country: str | None = Field(default=None, description="Column of the country.")
    area_code: str | None = Field(default=None, description="Column of the area code.")
    reference: str | None = Field(default=None, description="Column of the producer's own id.")
    opt_out: str | None = Field(default=None, description="Column that says who does not want faxes.")
    consent: str | None = Field(default=None, description="Column that says who may be faxed.")
    assumed_country: str | None = Field(
        default=None, description="Country of numbers in national form whose row names none; null if there is none."
    )
    assumed_rows: int = Field(default=0, description="Number of rows for which that country was assumed.")


class FirstRow(Response):
    """A row as it would be dialled."""

    line: int = Field(description="Line of the list, counted from 1.")
    number: str = Field(description="Number that would be dialled, in E.164.")
    region: str = Field(description="Country of the number as two letters; `001` for no country.")
    reference: str | None = Field(
        default=None, description="The producer's own id of the recipient; null if the row has none."
    )


class Upload(Response):
    """The result of an uploaded list of recipients."""

    upload: str | None = Field(default=None, description="Idempotency key of the upload; null for a dry run.")
    lines: int = Field(description="Number of rows that were read, without headers and blank lines.")
    accepted: int = Field(description="Number of rows that became jobs.")
    refused: int = Field(description="Number of rows that cannot be faxed.")
    opted_out: int = Field(default=0, description="Number of rows whose recipients have opted out.")
    suppressed: int = Field(default=0, description="Number of rows whose numbers are on the do-not-fax list.")
    duplicates: int = Field(
        description="Number of rows whose number was in the batch already. A dry run remembers 100,000 numbers."
    )
    refused_sample: tuple[RefusedRow, ...] = Field(
        default=(), description="The first rows that are not sent; `/refused` and the report have all of them."
    )
    columns: UsedColumns = Field(default=UsedColumns(), description="The columns that were used.")
    dry_run: bool = Field(default=False, description="Whether nothing was stored.")
    first_rows: tuple[FirstRow, ...] = Field(
        default=(), description="The first rows as they would be dialled; only for a dry run."
    )


class FaxPrice(Response):
    """What the provider charges for a fax."""

    amount: str = Field(description="The price as a decimal number.")
    currency: str = Field(description="Currency, as in ISO 4217.")


class Job(Response):
    """The work for one recipient of a batch."""

    id: str = Field(description="Id of the job: id of the batch, a dot, and `row`.")
    batch: str = Field(default="", description="Id of the batch.")
    row: int = Field(
        default=0, description="Position of the job in its batch, counted from 0. Rows that are no job have none."
    )
    line: int | None = Field(
        default=None,
        description="Line of the uploaded list that the job comes from, counted from 1 with the heading; of a single "
        "fax 1. Null if it cannot be read.",
    )
    number: str | None = Field(default=None, description="Number of the recipient in E.164; null if it cannot be read.")
    reference: str | None = Field(
        default=None, description="The producer's own id of the recipient; null if the row has none."
    )
    fields: dict[str, str] = Field(default={}, description="All other columns of the recipient's row.")
    state: ShownJobState = Field(
        description="State of the job; `unreadable` in a list if its stored data is damaged. It is not sent then."
    )
    category: Category | None = Field(
        default=None, description="Failure category of the latest failure; null if there was none."
    )
    error_type: ErrorType | None = Field(
        default=None, description="The provider's error type of the latest failure; null if there was none."
    )
    error_code: int | None = Field(
        default=None, description="The provider's error code of the latest failure; null if there was none."
    )
    attempt: int = Field(
        default=0, description="Number of the latest attempt; 0 before the first. Numbers may have gaps."
    )
    dials: int = Field(default=0, description="Number of calls that failed before a machine answered.")
    tries: int = Field(default=0, description="Number of calls that a machine answered and that brought no more pages.")
    pages_sent: int = Field(default=0, description="Number of pages that arrived.")
    pages_total: int | None = Field(default=None, description="Number of pages of the fax; null if it is not known.")
    fax_id: str | None = Field(default=None, description="The provider's id of the latest fax; null if there is none.")
    price: FaxPrice | None = Field(
        default=None, description="Price of the fax that was delivered; null if there is none, or it is not known."
    )
    changed_at: Time | None = Field(default=None, description="When the state changed last; null if it never did.")
    next_at: Time | None = Field(default=None, description="When the job is due next; null if nothing is due.")
    doubled: bool = Field(
        default=False, description="Whether the provider accepted a second fax of this job while the first counted."
    )


class JobPage(Response):
    """Jobs in the order of their rows. A short or empty page may have more jobs after it."""

    jobs: tuple[Job, ...] = Field(description="The jobs of this page.")
    next: str | None = Field(default=None, description="Value of `after` for the next page; null on the last one.")


class LookupPage(Response):
    """Jobs of all batches, newest first. A short or empty page may have more jobs after it."""

    jobs: tuple[Job, ...] = Field(description="The jobs of this page.")
    next: str | None = Field(default=None, description="Value of `after` for the next page; null on the last one.")


class HistoryEntry(Response):
    """The outcome of one attempt of a job, or late information about an earlier one."""

    attempt: int = Field(description="Number of the attempt.")
    version: int = Field(default=1, description="Version of the batch by which the attempt was sent.")
    at: Time | None = Field(default=None, description="When the entry was written; null if it cannot be read.")
    outcome: Outcome | None = Field(
        default=None, description="Outcome of the attempt, as a fixed word; null if it cannot be read."
    )
    category: Category | None = Field(default=None, description="Failure category; null if there was no failure.")
    error_type: ErrorType | None = Field(
        default=None, description="The provider's error type; null if there was no failure."
    )
    error_code: int | None = Field(default=None, description="The provider's error code; null if there was no failure.")
    fax_id: str | None = Field(default=None, description="The provider's id of the fax; null if there is none.")
    fate: Fate | None = Field(default=None, description="What is known of the fax at the provider; null without a fax.")
    created_at: Time | None = Field(
        default=None, description="When the provider created the fax, by its clock; null if it did not say."
    )
    ended_at: Time | None = Field(
        default=None, description="When the fax ended, by the provider's clock; null if it did not say."
    )
    pages_sent: int = Field(default=0, description="Number of pages that arrived.")
    pages_total: int | None = Field(default=None, description="Number of pages of the fax; null if it is not known.")
    price: FaxPrice | None = Field(
        default=None, description="Price of the fax; null if it cost nothing, or is not known."
    )
    why: str | None = Field(
        default=None, description="The decision that followed, in a sentence for people; null if none was needed."
    )


class JobStory(Job):
    """A job with the history of its attempts."""

    history: tuple[HistoryEntry, ...] = Field(default=(), description="Outcomes of its attempts, oldest first.")
    version: int | None = Field(
        default=None, description="Version of the batch by which the latest attempt was sent; null before the first."
    )
    explanation: str = Field(default="", description="What the job waits for, in a sentence for people.")
    metadata: dict[str, str] = Field(default={}, description="The producer's own keys and values of its batch.")
    cost: dict[str, str] = Field(
        default={}, description="What the provider has charged for all its faxes, by currency, as decimal numbers."
    )


class Suppression(Response):
    """A number that must not be faxed."""

    number: str = Field(description="The number in E.164.")
    source: Source = Field(
        default="manual",
        description="Where the entry comes from: somebody, an import, the recipient, or calls that proved it dead.",
    )
    reason: str | None = Field(default=None, description="Why, for people; null if nobody said.")
    job: str | None = Field(default=None, description="Id of the job whose call proved it; null if none did.")
    added_at: Time | None = Field(default=None, description="When the number was added; null if it cannot be read.")
    expires_at: Time | None = Field(default=None, description="When the entry ends; null for never.")
    active: bool = Field(default=True, description="Whether the number must not be faxed now.")


class SuppressionPage(Response):
    """Entries of the do-not-fax list in the order of their numbers."""

    suppressions: tuple[Suppression, ...] = Field(description="The entries of this page.")
    next: str | None = Field(default=None, description="Value of `after` for the next page; null on the last one.")


class SuppressionImport(Response):
    """The result of an imported do-not-fax list."""

    accepted: int = Field(description="Number of rows whose numbers are on the list now.")
    added: int = Field(description="Number of numbers that were not on the list before.")
    refused: int = Field(description="Number of rows that cannot be read: their recipients may still be faxed.")
    left_out: int = Field(
        default=0, description="Number of rows whose recipients have not opted out, in a list with a column about it."
    )
    refused_sample: tuple[RefusedRow, ...] = Field(default=(), description="The first refused rows.")


class Removed(Response):
    """What a DELETE has removed."""

    removed: int = Field(description="How many there were. 0: there is nothing of the kind, or not any more.")
    more: bool = Field(default=False, description="Whether there may be more: repeat the request.")


class Limit(Response):
    """One limit of the account."""

    per: Literal["second", "minute", "day"] = Field(description="Period of the limit.")
    limit: float = Field(description="Requests to the provider in one period.")
    source: Literal["settings", "operator"] | None = Field(
        default=None, description="Who set the limit.", json_schema_extra=_never_null
    )
    used: int | None = Field(
        default=None, description="Requests that count against the limit now; null for the limit of a second."
    )


class UnknownFax(Response):
    """A fax at the provider with the labels of a job that does not exist any more."""

    fax_id: str = Field(description="The provider's id of the fax.")
    job: str = Field(description="Id of the job that its labels name.")
    attempt: int = Field(description="Number of the attempt that its labels name.")
    created_at: Time | None = Field(
        default=None, description="When the provider created the fax, by its clock; null if it did not say."
    )


class Rollback(Response):
    """The last time that Redis lost writes. Sending is held from `noticed_at` to `resumed_at`."""

    cause: str = Field(description="How the loss was noticed, in a sentence for people.")
    noticed_at: Time | None = Field(description="When the loss was noticed.")
    since: Time | None = Field(description="From when on the provider's faxes are read to find what was lost.")
    ready_at: Time | None = Field(description="When all of these faxes can have been read at the earliest.")
    reconciled_at: Time | None = Field(default=None, description="When all of them had been read; null before.")
    accepted_at: Time | None = Field(default=None, description="When an operator accepted the loss; null before.")
    resumed_at: Time | None = Field(default=None, description="When sending continued; null before.")
    adopted: int = Field(default=0, description="Number of faxes that the jobs did not know and now have.")
    accepted_twice: int = Field(default=0, description="Number of attempts that the provider has two faxes of.")
    unknown: int = Field(default=0, description="Number of faxes of jobs that do not exist any more.")
    unknown_faxes: tuple[UnknownFax, ...] = Field(default=(), description="Faxes of jobs that do not exist any more.")


class Account(Response):
    """How the account's rate is used, and what stops it."""

    rate_per_second: float | None = Field(
        default=None, description="Allowed requests to the provider in a second.", json_schema_extra=_never_null
    )
    rate_now: float | None = Field(
        default=None,
        description="Rate in use; it is lower than the allowed one after the provider has asked to slow down.",
        json_schema_extra=_never_null,
    )
    limits: tuple[Limit, ...] = Field(default=(), description="All limits in force.")
    blocked_until: Time | None = Field(default=None, description="Nothing is sent until then; null if that is not so.")
    blocked_by: Literal["provider", "minute", "day"] | None = Field(
        default=None,
        description="What stops sending until then: the provider (429), or the used-up limit of a minute or a day.",
    )
    limited_by: LimitedBy | None = Field(
        default=None, description="Why nothing is sent, or not faster; null when nothing waits."
    )
    used_ratio: float | None = Field(
        default=None, description="Share of the rate that was used lately.", json_schema_extra=_never_null
    )
    in_flight: int | None = Field(
        default=None,
        description="Number of jobs that are leased, being sent, or accepted without a result.",
        json_schema_extra=_never_null,
    )
    unclear: int | None = Field(
        default=None,
        description="Number of attempts that may have reached the provider and are looked up there.",
        json_schema_extra=_never_null,
    )
    inbox: int | None = Field(
        default=None, description="Number of stored callbacks that are not settled yet.", json_schema_extra=_never_null
    )
    open_drafts: int | None = Field(
        default=None, description="Number of batches that nobody has started.", json_schema_extra=_never_null
    )
    max_open_drafts: int | None = Field(
        default=None,
        description="Number of open drafts with which no other batch is created.",
        json_schema_extra=_never_null,
    )
    holds: tuple[Hold, ...] = Field(
        default=(),
        description="Holds, the widest scope first, and the jobs of one batch and category as one entry; 100 at most. "
        "`/v1/holds` lists all.",
    )
    holds_total: int = Field(default=0, description="Number of such entries.")
    rollback: Rollback | None = Field(
        default=None, description="The last loss of writes; null when Redis has never lost any."
    )


class Status(Response):
    """All that runs now."""

    account: Account = Field(description="How the account's rate is used, and its holds.")
    scheduler_alive: bool = Field(description="Whether a scheduler has been seen within the last seconds.")
    scheduler_seen_at: Time | None = Field(default=None, description="When a scheduler was last seen; null for never.")
    workers_alive: int = Field(description="Number of worker processes that run.")
    worker_seen_at: Time | None = Field(default=None, description="When a worker was last seen; null for never.")
    provider: str = Field(
        description="`ok`; `waiting` while the provider has asked to wait; `held` while the account or the provider is "
        "held.",
        json_schema_extra={"enum": ["ok", "waiting", "held"]},
    )
    provider_answered_at: Time | None = Field(
        default=None, description="When the provider last answered a send with a usable answer; null for never."
    )
    batches: tuple[Batch, ...] = Field(
        default=(), description="Batches that have been started and have not ended, newest first, 50 at most."
    )
    more: bool = Field(default=False, description="Whether there may be other such batches.")


class ReleasedHolds(Response):
    """Holds that were released, or would be."""

    released: int = Field(description="Number of holds that were released, or would be.")
    holds: tuple[Hold, ...] = Field(
        default=(), description="The first of them, the jobs of one batch and category as one entry; 100 at most."
    )
    kept: int = Field(
        default=0,
        description="Number of holds that only `resume` ends: they were opened because Redis has lost writes.",
    )
    dry_run: bool = Field(default=False, description="Whether nothing was released.")
    more: bool = Field(default=False, description="Whether there are more of them: repeat the request.")


class Remedy(Response):
    """What may help before the next attempt."""

    name: str = Field(description="What it is, as a fixed word.")
    implemented: bool = Field(default=True, description="Whether bulkfax does it by itself.")


class Explanation(Response):
    """What happens after a failure under the policy of the server, and why."""

    error_type: ErrorType = Field(description="The provider's error type, `http` for an HTTP status, or `other`.")
    error_code: int = Field(description="The provider's error code, or the HTTP status.")
    category: Category = Field(description="Failure category.")
    verdict: str = Field(description="`retry`, `permanent`, `hold` or `uncertain`.")
    table_verdict: str = Field(
        default="", description="Verdict of the retry table; it differs from `verdict` where a remedy is missing."
    )
    spends: str = Field(default="", description="Which count of failures the attempt spends.")
    delays: tuple[str, ...] = Field(default=(), description="Waits before the next attempts, in words.")
    max_attempts: int = Field(default=0, description="Maximum number of attempts; 0 for no limit of its own.")
    unproven_delays: tuple[str, ...] = Field(
        default=(), description="The same waits for numbers that have not taken a fax yet; empty if they are the same."
    )
    unproven_max: int = Field(default=0, description="The same maximum for these numbers; 0 if it is the same.")
    scope: str = Field(default="", description="What is held: `account`, `batch` and others; empty for nothing.")
    hold_after: int = Field(default=0, description="Number of such failures in a row after which it is held.")
    partial: bool = Field(default=False, description="Whether `on_partial` decides when some pages arrived.")
    pages: str = Field(
        default="", description="What happens when pages arrived before the call failed; empty if no call is made."
    )
    remedies: tuple[Remedy, ...] = Field(default=(), description="What may help before the next attempt.")
    fallback: str = Field(default="", description="What happens instead of remedies that are not available.")
    alert: bool = Field(default=False, description="Whether an alert fires.")
    documented: bool = Field(default=True, description="Whether the pair has a row of its own in the retry table.")
    changed: bool = Field(default=False, description="Whether the policy changes that row.")
    why: str = Field(default="", description="Why it is decided so, in a sentence for people.")


class Alive(Response):
    """The process answers."""

    status: Literal["ok"] = Field(default="ok", description="Always `ok`.")


class Ready(Response):
    """The API can work."""

    ready: Literal[True] = Field(default=True, description="Always true; otherwise the answer is a problem.")


class Fault(BaseModel):
    """One thing that is wrong with a request, by field or by line."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    field: str | None = Field(default=None, description="Name of the field, such as `options.from`.")
    line: int | None = Field(default=None, description="Line of the list, counted from 1.")
    page: int | None = Field(default=None, description="Page of the document that a warning is about, counted from 1.")
    code: str | None = Field(default=None, description="Fixed word of a warning about a document.")
    message: str = Field(description="What is wrong and what to do.")


class Problem(BaseModel):
    """A problem document (RFC 9457). Empty fields are left out."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    type: Annotated[str, _word_of(problem_type.uri for problem_type in PROBLEM_TYPES.values())] = Field(
        description="The kind of problem."
    )
    title: str = Field(description="The kind of problem in a few words.")
    status: int = Field(description="HTTP status of the answer.")
    detail: str = Field(default="", description="What is wrong and what to do, in a sentence for people.")
    errors: tuple[Fault, ...] = Field(default=(), description="What is wrong, by field or by line.")
    upload: str | None = Field(
        default=None, description="Idempotency key of an upload that ended early; a repeat with it continues."
    )
    lines_stored: int | None = Field(
        default=None, description="Number of lines of an upload that ended early that stay stored."
    )
    batch: str | None = Field(default=None, description="Id of the batch that sent the same a short while ago.")
    shared: int | None = Field(
        default=None, description="Number of recipients that it shares with the batch that was not started."
    )


#: a client reads types of a newer API as well
EventName = Annotated[str, WithJsonSchema({"type": "string", "enum": [kind.value for kind in EventType]})]


class Event(Response):
    """Something that has happened. `data` depends on the type; docs/webhooks.md describes it."""

    id: str = Field(description="Id of the event. Later events have greater ids.")
    type: EventName = Field(description="What has happened.")
    time: Time = Field(description="When it happened.")
    sequence: int = Field(
        description="Number of the event among those of its batch, or of the account: 1, 2, 3. A number that is "
        "missing is that of an event that was lost, or is of a type that was not asked for."
    )
    batch: str | None = Field(default=None, description="Id of the batch; null for an event of the account.")
    name: str | None = Field(default=None, description="Name of the batch; null if it was deleted meanwhile.")
    metadata: dict[str, str] = Field(
        default={}, description="The producer's own keys and values of the batch; empty for `job.final`."
    )
    data: dict[str, Any] = Field(default={}, description="More about it.")


class EventPage(Response):
    """Some events, in the order in which they happened."""

    events: tuple[Event, ...] = Field(description="The events of this page.")
    next: str = Field(description="Value of `after` for the next page; at the end, of the next request for new events.")
    more: bool = Field(default=False, description="Whether there may be more events now.")


class WebhookEndpoint(Response):
    """An address that gets events, and how far it is."""

    id: str = Field(description="Id of the endpoint.")
    url: str = Field(description="Address that events are sent to.")
    types: tuple[EventName, ...] = Field(default=(), description="Types of events that are sent; empty for all.")
    description: str | None = Field(default=None, description="What it is, for people; null if nobody said.")
    created_at: Time | None = Field(default=None, description="When it was created.")
    enabled: bool = Field(default=True, description="Whether it gets events.")
    disabled_at: Time | None = Field(default=None, description="Since when it gets none; null if it does.")
    disabled_reason: str | None = Field(default=None, description="Why it gets none; null if it does.")
    position: str = Field(default="", description="It has all events until the one of this id.")
    delivered_at: Time | None = Field(default=None, description="When it took events last; null for never.")
    waiting_since: Time | None = Field(
        default=None, description="When the oldest event happened that it has not got; null if it has all."
    )
    failures: int = Field(default=0, description="Number of attempts in a row that have failed.")
    failing_since: Time | None = Field(default=None, description="When the first of them ended; null for none.")


class WebhookEndpointSecret(WebhookEndpoint):
    """An endpoint with its new secret, which is shown only once."""

    secret: str = Field(description="Secret for a library of Standard Webhooks, which verifies the signatures.")


class WebhookEndpoints(Response):
    """All webhook endpoints."""

    endpoints: tuple[WebhookEndpoint, ...] = Field(description="The endpoints, the oldest first.")


class WebhookDelivery(Response):
    """An attempt to send events to an endpoint."""

    id: str = Field(description="Id of the delivery (`webhook-id`). A repeat has the same id and the same events.")
    number: int = Field(description="Number among the attempts of the endpoint.")
    time: Time | None = Field(default=None, description="When it began.")
    result: str = Field(
        description="`delivered`, `failed` (and is repeated), or `disabled` (and so is the endpoint).",
        json_schema_extra={"enum": [result.value for result in DeliveryResult]},
    )
    status: int | None = Field(default=None, description="HTTP status of the answer; null for none.")
    error: str | None = Field(default=None, description="Why it failed; null if it did not.")
    attempt: int = Field(default=1, description="Which attempt of the delivery it was.")
    events: int = Field(default=0, description="Number of events.")
    last: str = Field(default="", description="Once it is delivered, the endpoint has all events until this one.")
    took_ms: int = Field(default=0, description="How long the answer took, in milliseconds.")
    next_at: Time | None = Field(default=None, description="When it is repeated; null if it is not.")


class WebhookDeliveryPage(Response):
    """A part of the attempts, newest first. The last 1,000 are kept."""

    deliveries: tuple[WebhookDelivery, ...] = Field(description="The attempts of this page.")
    next: str | None = Field(default=None, description="Value of `after` for the next page; null on the last one.")
