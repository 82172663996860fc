"""What producers send and get, as JSON. Unknown fields are refused; times are RFC 3339."""

import re
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, ValidationInfo, model_validator
from pydantic.fields import FieldInfo

from dispatcher.core.job import FINAL, JOB_STATES
from dispatcher.core.limits.limited_by import LimitedBy
from dispatcher.recipients.countries import region_of_country

JobState = Literal[
    "waiting", "leased", "sending", "accepted", "delivered", "delivered_unconfirmed", "failed", "cancelled", "expired"
]
FinalState = Literal["delivered", "delivered_unconfirmed", "failed", "cancelled", "expired"]
OnPartial = Literal["resume", "resend", "stop"]

#: label -> state, for the two lists above
STATES = {state.label: state for state in JOB_STATES}
FINAL_STATES = {state.label: state for state in FINAL}


def _known_country(text: str) -> str:
    region = region_of_country(text)
    if region is None:
        raise ValueError("this country is not known: give two letters, such as DE")
    return region


def _known_zone(text: str) -> str:
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError("this time zone is not known: give a name such as America/New_York") from error
    return text


def _web_address(text: str) -> str:
    otherwise = "give a full address such as https://example.com/a.pdf"
    try:
        parts = urlsplit(text)
        whole = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError as error:
        raise ValueError(otherwise) from error
    if not whole or not re.fullmatch("[!-~]+", text):
        raise ValueError(f"{otherwise}, with spaces and letters other than English ones percent-encoded")
    return text


def _with_cover_page(data: dict[str, str], info: ValidationInfo) -> dict[str, str]:
    if data and not info.data.get("cover_page_id", True):
        raise ValueError("these fields fill a cover page: name it in cover_page_id, or leave them out")
    return data


def _shape(pattern: str, otherwise: str) -> tuple[AfterValidator, FieldInfo]:
    """A pattern that is in the description of the API, and what is said when a text does not fit it."""

    def fits(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(otherwise)
        return text

    return AfterValidator(fits), Field(json_schema_extra={"pattern": f"^{pattern}$"})


Country = Annotated[str, Field(max_length=60), AfterValidator(_known_country)]
Sha256 = Annotated[
    str, *_shape(r"[0-9a-f]{64}", "this is no document's id: upload the document and take the id it gets")
]
WebAddress = Annotated[
    str,
    Field(max_length=2000, json_schema_extra={"format": "uri", "pattern": "^https?://"}),
    AfterValidator(_web_address),
]
E164 = Annotated[str, *_shape(r"\+[1-9][0-9]{6,14}", "give the number in the form +12025550100")]
Line = Annotated[str, Field(max_length=200)]


class Request(BaseModel):
    """Base of all bodies that producers send."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Options(Request):
    """Options that the provider applies to every fax; what is left out takes the provider's default."""

    sender: Annotated[E164 | None, Field(alias="from")] = None
    service_id: Line | None = None
    header_text: Annotated[str, Field(max_length=50)] | None = None
    header_page_numbers: bool | None = None
    header_time_zone: Annotated[str, Field(max_length=60), AfterValidator(_known_zone)] | None = None
    resolution: Literal["FINE", "SUPERFINE"] | None = None
    image_conversion_method: Literal["HALFTONE", "MONOCHROME"] | None = None
    cover_page_id: Line | None = None
    #: merge fields of the cover page, for rows whose own fields of these names are empty or missing
    cover_page_data: Annotated[
        dict[Line, Annotated[str, Field(max_length=1000)]], Field(max_length=100), AfterValidator(_with_cover_page)
    ] = {}


class Content(Request):
    """What is to be sent, and how. Pages of content URLs come before pages of documents."""

    documents: Annotated[list[Sha256], Field(max_length=10)] = []
    content_urls: Annotated[list[WebAddress], Field(max_length=10)] = []
    options: Options = Options()
    #: what to do when some pages arrived before a call failed; left out: the retry policy's choice
    on_partial: OnPartial | None = None
    deadline: AwareDatetime | None = None


class NewBatch(Content):
    name: Annotated[str, Field(min_length=1, max_length=200)]
    priority: Literal["bulk", "urgent"] = "bulk"
    weight: Annotated[int, Field(ge=1, le=100)] = 1
    #: country of numbers in national form whose row names none
    default_country: Country | None = None
    start_at: AwareDatetime | None = None


class NewFax(Content):
    to: Annotated[str, Field(min_length=1, max_length=100)]
    #: country of a number in national form
    country: Country | None = None
    reference: Line = ""
    fields: Annotated[dict[str, str], Field(max_length=100)] = {}


class NewRerun(Request):
    states: Annotated[list[FinalState], Field(min_length=1)]
    categories: Annotated[list[Line], Field(min_length=1)] | None = None
    start: bool = True


class Document(BaseModel):
    id: str
    size: int
    pages: int
    name: str


class Hold(BaseModel):
    scope: str
    category: str
    cause: str
    since: str
    probe_at: str | None


class Batch(BaseModel):
    """``rows`` are jobs; ``lines`` are jobs, duplicates and refused rows; ``categories`` are those of final jobs."""

    id: str
    name: str
    state: str
    created_at: str
    started_at: str | None
    finished_at: str | None
    start_at: str | None
    deadline: str | None
    parent: str | None
    priority: str
    weight: int
    documents: list[str]
    content_urls: list[str]
    #: those that were given
    options: dict[str, str | bool | dict[str, str]]
    on_partial: str | None
    default_country: str
    rows: int
    lines: int
    refused: int
    duplicates: int
    counts: dict[str, int]
    categories: dict[str, dict[str, int]]
    attempts: int
    doubled: int
    holds: list[Hold]
    #: why nothing of it is sent, or no more; one of a closed set of words, null when nothing waits
    limited_by: LimitedBy | None
    refused_reasons: dict[str, int]


class CommandedBatch(Batch):
    #: calls that were being made at that moment and are still running out
    in_flight: int


class BatchPage(BaseModel):
    batches: list[Batch]
    next: str | None


class RefusedRow(BaseModel):
    line: int
    number: str
    reason: str
    detail: str


class RefusedPage(BaseModel):
    refused: list[RefusedRow]
    next: int | None


class Upload(BaseModel):
    """``refused_sample`` are the first refused rows; all are under ``/refused`` and in the report."""

    upload: str
    lines: int
    accepted: int
    refused: int
    duplicates: int
    refused_sample: list[RefusedRow]


class Job(BaseModel):
    id: str
    batch: str
    row: int
    line: int
    number: str
    reference: str
    fields: dict[str, str]
    state: JobState
    category: str
    error_type: str
    error_code: int
    attempt: int
    dials: int
    tries: int
    pages_sent: int
    pages_total: int
    fax_id: str
    changed_at: str | None
    next_at: str | None
    doubled: bool


class JobPage(BaseModel):
    """``next`` goes into ``after``; a page can be short, even empty, and still have more behind it."""

    jobs: list[Job]
    next: int | None


class HistoryEntry(BaseModel):
    """``fate`` is what is known of the fax at the provider; its times there are ``created_at`` and ``ended_at``."""

    attempt: int
    at: str
    outcome: str
    category: str
    error_type: str
    error_code: int
    fax_id: str
    fate: str | None
    created_at: str | None
    ended_at: str | None
    pages_sent: int
    pages_total: int
    why: str


class JobStory(Job):
    history: list[HistoryEntry]
    explanation: str


class Rate(Request):
    """Limits of the account; those left out stay as they are. 0 in a minute or a day: no such limit."""

    per_second: float | None = Field(default=None, gt=0, le=10_000)
    per_minute: int | None = Field(default=None, ge=0, le=1_000_000)
    per_day: int | None = Field(default=None, ge=0, le=1_000_000_000)

    @model_validator(mode="after")
    def _names_one(self) -> Self:
        if not self.model_dump(exclude_none=True):
            raise ValueError("give per_second, per_minute or per_day")
        return self


class Limit(BaseModel):
    """``used`` are the requests that count against the limit now; null for a second."""

    per: Literal["second", "minute", "day"]
    limit: float
    source: Literal["settings", "operator"]
    used: int | None


class UnknownFax(BaseModel):
    """A fax with our labels whose job is not there any more."""

    fax_id: str
    job: str
    attempt: int
    created_at: str | None


class Rollback(BaseModel):
    """The last time that Redis lost writes. Sending is held from ``noticed_at`` to ``resumed_at``.

    Faxes since ``since`` are read at the provider: ``adopted`` are those that the record did not know,
    ``accepted_twice`` attempts that the provider has two faxes of, ``unknown`` faxes of jobs that are not there. All
    can have been read at ``ready_at``, and have been at ``reconciled_at``.
    """

    cause: str
    noticed_at: str
    since: str
    ready_at: str
    reconciled_at: str | None
    accepted_at: str | None
    resumed_at: str | None
    adopted: int
    accepted_twice: int
    unknown: int
    unknown_faxes: list[UnknownFax]


class Resume(Request):
    """What an operator accepts, so that sending goes on."""

    #: writes were lost, and what the reconciliation found was looked at
    accept_rollback: bool = False


class Account(BaseModel):
    """Rates are requests a second. ``used_ratio`` is the share of the rate that was used lately; ``blocked_by`` says
    why nothing is sent until ``blocked_until``: the provider asked for it (429), or a longer limit is used up."""

    rate_per_second: float
    rate_now: float
    limits: list[Limit]
    blocked_until: str | None
    blocked_by: Literal["provider", "minute", "day"] | None
    #: why nothing is sent, or no more; one of a closed set of words, null when nothing waits
    limited_by: LimitedBy | None
    used_ratio: float
    in_flight: int
    #: attempts that may have reached the provider, and are looked for there
    unclear: int
    inbox: int
    holds: list[Hold]
    #: null when Redis has never lost writes
    rollback: Rollback | None


class Alive(BaseModel):
    status: Literal["ok"] = "ok"


class Ready(BaseModel):
    ready: Literal[True] = True
