"""What producers send. Unknown fields are refused; times are RFC 3339 with an offset."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    ValidationInfo,
    model_validator,
)
from pydantic.fields import FieldInfo

from dispatcher.core.batch_events import EventType
from dispatcher.core.closed_sets import unknown_word
from dispatcher.core.options import FaxOptions
from dispatcher.core.public_address import address_fault
from dispatcher.core.retry_table.rule import ERROR_TYPES as STORED_ERROR_TYPES
from dispatcher.core.retry_table.rule import Category
from dispatcher.core.times import to_ms
from dispatcher.schema.enforcement import EnforcedByApi, check_country, check_time_zone
from dispatcher.schema.states import FINAL_STATES, LIVE_STATES

OnPartial = Literal["resume", "resend", "stop"]

#: maximum characters of the names and values of a cover page's merge fields together; every draft stores them
_COVER_PAGE_CHARACTERS = 10_000
_DATE = re.compile(r"[0-9]{4}-")
_EVENT_ID = "give the id of an event, such as 1795000000000-0"


def _web_address(text: str) -> str:
    if fault := address_fault(text):
        raise ValueError(fault)
    return text


def time_in_range(time: datetime) -> datetime:
    to_ms(time)
    return time


def _with_cover_page(data: dict[str, str], info: ValidationInfo) -> dict[str, str]:
    if data and not info.data.get("cover_page_id", True):
        raise ValueError("these fields fill a cover page: name it in cover_page_id, or leave them out")
    return data


def _number(value: object) -> object:
    """Refuse what pydantic would take for a number: ``false`` as 0, which removes a limit, and ``"5"``."""
    if isinstance(value, bool | str):
        raise ValueError("give a number, without quotation marks")
    return value


def _time_text(value: object) -> object:
    """Refuse numbers, which pydantic would take for seconds or milliseconds since 1970, whichever fits."""
    if isinstance(value, int | float) or (isinstance(value, str) and not _DATE.match(value)):
        raise ValueError("give a time as in 2026-12-31T09:00:00+01:00")
    return value


def _bounded_together(data: dict[str, str]) -> dict[str, str]:
    characters = sum(map(len, (*data, *data.values())))
    if characters > _COVER_PAGE_CHARACTERS:
        raise ValueError(f"names and values may be {_COVER_PAGE_CHARACTERS:,} characters together, not {characters:,}")
    return data


def _pattern(pattern: str, advice: str) -> tuple[AfterValidator, FieldInfo]:
    """Return the check of a pattern, with advice for a text that does not match, and its description."""

    def matches(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(advice)
        return text

    return AfterValidator(matches), Field(json_schema_extra={"pattern": f"^{pattern}$"})


def _between(kind: type[int] | type[float], lowest: float, highest: float) -> EnforcedByApi:
    return EnforcedByApi(Annotated[kind, BeforeValidator(_number), Field(ge=lowest, le=highest)])


def _text(max_length: int, min_length: int | None = None) -> EnforcedByApi:
    return EnforcedByApi(Annotated[str, Field(min_length=min_length, max_length=max_length)])


def known_word(words: Sequence[str]) -> tuple[AfterValidator, FieldInfo]:
    """Return the check of a word of a closed set, and its description. A refusal names the nearest one."""

    def known(word: str) -> str:
        if word not in words:
            raise ValueError(unknown_word(word, words))
        return word

    return AfterValidator(known), Field(json_schema_extra={"enum": list(words)})


def _word_of(words: Sequence[str]) -> EnforcedByApi:
    return EnforcedByApi(Annotated[str, *known_word(words)])


def _list_of(item: Any, max_items: int) -> EnforcedByApi:
    return EnforcedByApi(Annotated[tuple[item, ...], Field(max_length=max_items)])


Flag = Annotated[bool, EnforcedByApi(StrictBool)]
Line = Annotated[str, _text(200)]
Country = Annotated[str, EnforcedByApi(Annotated[str, Field(max_length=60), AfterValidator(check_country)])]
TimeZone = Annotated[str, EnforcedByApi(Annotated[str, Field(max_length=60), AfterValidator(check_time_zone)])]
Time = Annotated[
    datetime, EnforcedByApi(Annotated[AwareDatetime, BeforeValidator(_time_text), AfterValidator(time_in_range)])
]
E164 = Annotated[
    str, EnforcedByApi(Annotated[str, *_pattern(r"\+[1-9][0-9]{6,14}", "give the number in the form +12025550100")])
]

_SHA256 = Annotated[
    str, *_pattern(r"[0-9a-f]{64}", "this is no document's id: upload the document and take the id it gets")
]
_WEB_ADDRESS = Annotated[
    str,
    Field(max_length=2000, json_schema_extra={"format": "uri", "pattern": "^https?://"}),
    AfterValidator(_web_address),
]
Documents = Annotated[tuple[str, ...], EnforcedByApi(Annotated[tuple[_SHA256, ...], Field(max_length=10)])]
ContentUrls = Annotated[tuple[str, ...], EnforcedByApi(Annotated[tuple[_WEB_ADDRESS, ...], Field(max_length=10)])]
_COVER_PAGE_DATA = Annotated[
    dict[Annotated[str, Field(max_length=200)], Annotated[str, Field(max_length=1000)]],
    Field(max_length=100),
    AfterValidator(_bounded_together),
]
CoverPageData = Annotated[dict[str, str], EnforcedByApi(Annotated[_COVER_PAGE_DATA, AfterValidator(_with_cover_page)])]
Fields = Annotated[
    dict[str, str],
    EnforcedByApi(
        Annotated[
            dict[Annotated[str, Field(max_length=200)], Annotated[str, Field(max_length=10_000)]],
            Field(max_length=100),
        ]
    ),
]


_MetadataKey = Annotated[str, *_pattern(r"[^=]{1,40}", "a key has 1 to 40 characters, and no equals sign")]
Metadata = Annotated[
    dict[str, str],
    EnforcedByApi(Annotated[dict[_MetadataKey, Annotated[str, Field(max_length=500)]], Field(max_length=20)]),
]

_OwnRate = Annotated[float, _between(float, 0.001, 10_000)]


class Request(BaseModel):
    """Base of all bodies that producers send."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def sent(self) -> dict[str, Any]:
        """Return the JSON to send: the fields that were set."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude_none=True)


class _PlainOptions(Request):
    """The options without the merge fields of a cover page."""

    sender: E164 | None = Field(default=None, alias="from", description="Number that the fax comes from, in E.164.")
    service_id: Line | None = Field(default=None, description="Id of the provider's service to send with.")
    header_text: Annotated[str, _text(50)] | None = Field(default=None, description="Text at the top of each page.")
    header_page_numbers: Flag | None = Field(default=None, description="Whether the top of each page has its number.")
    header_time_zone: TimeZone | None = Field(
        default=None, description="Time zone of the date at the top of each page, as in the tz database."
    )
    resolution: Annotated[str, EnforcedByApi(Literal["FINE", "SUPERFINE"])] | None = Field(
        default=None, description="Resolution of the fax: FINE is 200 dpi, SUPERFINE is 400 dpi."
    )
    image_conversion_method: Annotated[str, EnforcedByApi(Literal["HALFTONE", "MONOCHROME"])] | None = Field(
        default=None, description="How pages become black and white: HALFTONE for photographs, MONOCHROME for text."
    )
    cover_page_id: Line | None = Field(default=None, description="Id of the cover page to put before the documents.")


class Options(_PlainOptions):
    """Options that the provider applies to every fax; what is left out takes the provider's default."""

    cover_page_data: CoverPageData = Field(
        default={},
        description="Merge fields of the cover page, for recipients whose own fields of these names are empty. "
        "Names and values may be 10,000 characters together.",
    )

    @model_validator(mode="before")
    @classmethod
    def _from_fax_options(cls, value: object) -> object:
        return api_options(value) if isinstance(value, FaxOptions) else value


def api_options(options: FaxOptions) -> dict[str, str | bool | dict[str, str]]:
    """Return the options that are set, under their names in the API."""
    fields = Options.model_fields
    return {fields[name].alias or name: value for name, value in options.chosen().items()}


class Content(Request):
    """What is sent, and how. Pages of content URLs come before pages of documents."""

    documents: Documents = Field(default=(), description="Ids of uploaded documents, in the order of their pages.")
    content_urls: ContentUrls = Field(
        default=(), description="Addresses of documents that the provider fetches; their pages come first."
    )
    options: Options = Field(default=Options(), description="Options that the provider applies to every fax.")
    on_partial: OnPartial | None = Field(
        default=None,
        description="What to do when a call failed after some pages arrived; if left out, the retry policy decides.",
    )
    deadline: Time | None = Field(default=None, description="When jobs that have not ended expire.")
    ignore_dead_numbers: Flag = Field(
        default=False,
        description="Whether to fax numbers that are on the do-not-fax list only because calls have proved them dead.",
    )
    job_events: Flag = Field(default=False, description="Whether each job that ends has an event (`job.final`).")
    metadata: Metadata = Field(
        default={}, description="The producer's own keys and values: 20 at most, with 40 and 500 characters."
    )


class NewBatch(Content):
    """A batch to create. It needs a document or a content URL."""

    name: Annotated[str, _text(200, min_length=1)] = Field(description="Name of the batch, for people.")
    priority: Literal["bulk", "urgent"] = Field(
        default="bulk", description="Urgent batches are sent before all bulk batches."
    )
    weight: Annotated[int, _between(int, 1, 100)] = Field(
        default=1, description="Share of the rate in relation to other batches of the same priority."
    )
    max_per_second: _OwnRate | None = Field(
        default=None, description="Maximum sends of this batch in a second; if left out, the account's rate alone."
    )
    default_country: Country | None = Field(
        default=None, description="Country of numbers in national form whose row names no country."
    )
    start_at: Time | None = Field(default=None, description="When a started batch begins to send.")


class Start(Request):
    """What the producer allows a start to do, after an answer that named it."""

    allow_warnings: Flag = Field(default=False, description="Send documents that have warnings.")
    allow_repeat: Flag = Field(
        default=False, description="Send although the same was sent to the same recipients a short while ago."
    )


class ChangedOptions(_PlainOptions):
    """Options to change. What is left out stays; with null, an option takes the provider's default again."""

    cover_page_data: Annotated[dict[str, str], EnforcedByApi(_COVER_PAGE_DATA)] | None = Field(
        default=None,
        description="Merge fields of the cover page, in place of all before. Names and values may be 10,000 "
        "characters together.",
    )


class ChangeBatch(Start):
    """What to change of a batch that has not ended. What is left out stays; null brings back the default.

    `allow_warnings` and `allow_repeat` count for a batch that was started, and its new content.
    """

    name: Annotated[str, _text(200, min_length=1)] | None = Field(
        default=None, description="Name of the batch, for people; null is refused. Only of a draft."
    )
    documents: Documents | None = Field(
        default=None, description="Ids of uploaded documents, in place of all before; null for none."
    )
    content_urls: ContentUrls | None = Field(
        default=None,
        description="Addresses of documents to fetch, in place of all before; null for none.",
    )
    options: ChangedOptions | None = Field(
        default=None, description="Options that change; null for the provider's default of all of them."
    )
    on_partial: OnPartial | None = Field(
        default=None, description="What to do when a call failed after some pages arrived; null for the retry policy's."
    )
    priority: Literal["bulk", "urgent"] | None = Field(
        default=None, description="Urgent batches are sent before all bulk batches; null for bulk. At any time."
    )
    weight: Annotated[int, _between(int, 1, 100)] | None = Field(
        default=None,
        description="Share of the rate in relation to other batches of the same priority; null for 1. At any time.",
    )
    max_per_second: _OwnRate | None = Field(
        default=None, description="Maximum sends in a second; null for the account's rate alone. At any time."
    )
    start_at: Time | None = Field(
        default=None, description="When the batch begins to send once it is started; null for at once. Only of a draft."
    )
    deadline: Time | None = Field(
        default=None, description="When jobs that have not ended expire; null for never. At any time."
    )
    metadata: Metadata | None = Field(
        default=None, description="Keys and values of your own, in place of all before; null for none. At any time."
    )
    version: Annotated[int, _between(int, 1, 1_000_000)] | None = Field(
        default=None,
        description="Version of the batch that the change is meant for. Any other is refused (409), but for the next "
        "one if it has these values: that is a repeat.",
    )
    dry_run: Flag = Field(default=False, description="Make all checks, and change nothing.")

    @model_validator(mode="after")
    def _changes_something(self, info: ValidationInfo) -> Self:
        if info.context is None:
            return self
        if not self.changes:
            raise ValueError("name what to change")
        if "name" in self.changes and self.name is None:
            raise ValueError("a batch needs a name: give it another one, or leave name out")
        return self

    @property
    def changes(self) -> frozenset[str]:
        """The fields that are to change, also to null."""
        return frozenset(self.model_fields_set) - {"version", "dry_run", *Start.model_fields}

    def sent(self) -> dict[str, Any]:
        """Return the JSON to send: the fields that were set, also those that were set to None."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)


class StartBatch(Start):
    """When a batch begins, how much of it, and what its start is allowed to do."""

    now: Flag = Field(
        default=False,
        description="Begin now, whatever `start_at` says. Without it, a batch with a `start_at` waits for that time, "
        "and a start of one that waits changes nothing.",
    )
    first: Annotated[int, _between(int, 1, 100_000_000)] | None = Field(
        default=None, description="Only so many jobs begin, in the order of the list; the others begin with `continue`."
    )
    percent: Annotated[float, EnforcedByApi(Annotated[float, Field(gt=0, le=100)])] | None = Field(
        default=None, description="The same as a share of the jobs, in percent. At least one job begins."
    )

    @model_validator(mode="after")
    def _has_one_part(self, info: ValidationInfo) -> Self:
        if info.context is not None and self.first is not None and self.percent is not None:
            raise ValueError("give first or percent, not both")
        return self


class ListOptions(Request):
    """What the caller says about the columns of a list. Columns that are not named are recognised by their headings."""

    number_column: str = Field(default="", description="Heading of the column with the fax numbers.")
    country_column: str = Field(default="", description="Heading of the column with the countries of the numbers.")
    no_country: bool = Field(
        default=False,
        description="The list has no country column: numbers in national form are of the default country.",
    )
    area_code_column: str = Field(default="", description="Heading of the column with the area codes of the numbers.")
    reference_column: str = Field(default="", description="Heading of the column with the producer's own ids.")
    opt_out_column: str = Field(
        default="", description="Heading of a column whose true values mean: do not send faxes to this recipient."
    )
    consent_column: str = Field(
        default="", description="Heading of a column whose true values allow faxes; all other rows are not sent."
    )
    sheet: str = Field(default="", description="Name of the sheet of a workbook.")


class UploadOptions(ListOptions):
    """What the caller says about an upload."""

    dry_run: bool = Field(default=False, description="Show the first rows as they would be dialled, and store nothing.")


class DryRunOptions(ListOptions):
    """What the caller says about a list that is only looked at."""

    default_country: str = Field(
        default="", description="Country of numbers in national form whose row names no country."
    )
    ignore_dead_numbers: bool = Field(
        default=False, description="Count numbers of the do-not-fax list that calls have proved dead as dialled."
    )


class NewFax(Content, Start):
    """One fax, sent at once and before all bulk work."""

    to: Annotated[str, _text(100, min_length=1)] = Field(description="Number of the recipient.")
    country: Country | None = Field(default=None, description="Country of the number if it is in national form.")
    reference: Line = Field(default="", description="The producer's own id of this fax.")
    fields: Fields = Field(default={}, description="Merge fields of the cover page.")


CATEGORIES = tuple(category.value for category in Category)
EVENT_TYPES = tuple(kind.value for kind in EventType)
ERROR_TYPES = tuple(filter(None, STORED_ERROR_TYPES))
_Category = Annotated[str, _word_of(CATEGORIES)]
_ErrorType = Annotated[str, _word_of(ERROR_TYPES)]
_FinalState = Annotated[str, _word_of(FINAL_STATES)]
_Prefix = Annotated[
    str,
    EnforcedByApi(Annotated[str, *_pattern(r"\+[1-9][0-9]{0,14}", "give the first digits in the form +4930")]),
]
_Number = Annotated[str, _text(100, min_length=1)]
_JobName = Annotated[str, _text(100, min_length=1)]
_BatchId = Annotated[str, _text(64, min_length=1)]
#: numbers, references or ids of jobs that a filter may list
_LISTED = 1000


class JobFilter(Request):
    """Which jobs are meant. A job has to match every field that is given; of a list, one value."""

    categories: Annotated[tuple[_Category, ...], _list_of(_Category, 100)] = Field(
        default=(), description="Failure categories of the latest failure."
    )
    error_types: Annotated[tuple[_ErrorType, ...], _list_of(_ErrorType, 20)] = Field(
        default=(), description="Error types of the latest failure."
    )
    error_codes: Annotated[tuple[int, ...], _list_of(Annotated[int, BeforeValidator(_number)], 100)] = Field(
        default=(), description="The provider's error codes of the latest failure."
    )
    countries: Annotated[tuple[Country, ...], _list_of(Country, 250)] = Field(
        default=(), description="Countries of the numbers."
    )
    prefixes: Annotated[tuple[_Prefix, ...], _list_of(_Prefix, 100)] = Field(
        default=(), description="First digits of the numbers, with `+` and country code."
    )
    numbers: Annotated[tuple[_Number, ...], _list_of(_Number, _LISTED)] = Field(
        default=(), description="Numbers, in international form or in that of the batch's default country."
    )
    references: Annotated[tuple[Line, ...], _list_of(Line, _LISTED)] = Field(
        default=(), description="The producer's own ids of the recipients."
    )
    since: Time | None = Field(
        default=None,
        description="Only jobs whose state changed last at this time or later. Of a failed job that is the time of "
        "the failure.",
    )
    until: Time | None = Field(default=None, description="Only jobs whose state changed last before this time.")
    min_attempts: Annotated[int, _between(int, 0, 1_000_000)] = Field(
        default=0, description="Lowest number of the latest attempt."
    )
    max_attempts: Annotated[int, _between(int, 0, 1_000_000)] | None = Field(
        default=None, description="Highest number of the latest attempt."
    )


_NO_CURSOR = "this is no value of `next`: pass on the one of the answer before"
_LiveState = Annotated[str, _word_of(LIVE_STATES)]


class CancelJobs(JobFilter):
    """Which jobs of a batch to cancel. Jobs whose call is under way are only counted."""

    states: Annotated[tuple[_LiveState, ...], _list_of(_LiveState, 10)] = Field(
        default=(), description="States of the jobs; if left out, all that are not final."
    )
    jobs: Annotated[tuple[_JobName, ...], _list_of(_JobName, _LISTED)] = Field(
        default=(), description="Ids of single jobs of the batch."
    )
    reason: Annotated[str, _text(500)] = Field(
        default="", description="Why they are cancelled. Needed unless `preview` is true."
    )
    preview: Flag = Field(default=False, description="Only say how many jobs that is. Nothing is cancelled.")
    after: Annotated[str, EnforcedByApi(Annotated[str, *_pattern("[0-9]{0,9}", _NO_CURSOR)])] = Field(
        default="", description="`next` of the answer before; empty for the first rows."
    )

    @model_validator(mode="after")
    def _complete(self, info: ValidationInfo) -> Self:
        if info.context is None:
            return self
        if not self.model_fields_set - {"reason", "preview", "after"}:
            raise ValueError("name which jobs, by their ids in jobs or by other fields, or cancel the whole batch")
        if not self.preview and not self.reason.strip():
            raise ValueError("say in reason why these jobs are cancelled")
        return self


class Overrides(Request):
    """What a rerun does differently from the batches that it runs again. What is left out stays as it was."""

    name: Annotated[str, _text(200, min_length=1)] | None = Field(
        default=None, description="Name of the new batch, for people."
    )
    documents: Documents | None = Field(
        default=None, description="Ids of uploaded documents, in place of all documents and content URLs before."
    )
    content_urls: ContentUrls | None = Field(
        default=None, description="Addresses of documents, in place of all documents and content URLs before."
    )
    options: Options = Field(default=Options(), description="Options that change; all others stay.")
    on_partial: OnPartial | None = Field(
        default=None, description="What to do when a call failed after some pages arrived."
    )
    priority: Literal["bulk", "urgent"] | None = Field(default=None, description="Priority of the new batch.")
    weight: Annotated[int, _between(int, 1, 100)] | None = Field(
        default=None, description="Share of the rate in relation to other batches of the same priority."
    )
    max_per_second: _OwnRate | None = Field(default=None, description="Maximum sends of the new batch in a second.")
    metadata: Metadata | None = Field(
        default=None, description="Keys and values in place of those of the batches before; if left out, those stay."
    )
    start_at: Time | None = Field(default=None, description="When the new batch begins to send; if left out, at once.")
    deadline: Time | None = Field(default=None, description="When its jobs expire; if left out, never.")


class NewRerun(JobFilter, Start):
    """Which jobs to send again, and what to put right. The jobs of the old batch do not change."""

    states: Annotated[tuple[_FinalState, ...], _list_of(_FinalState, 10)] = Field(
        default=("failed",), description="Final states of the jobs to send again."
    )
    include_delivered: Flag = Field(
        default=False,
        description="Needed to send again to recipients whose fax has arrived (`delivered`) or may have arrived "
        "(`delivered_unconfirmed`).",
    )
    overrides: Overrides = Field(default=Overrides(), description="What the new batch does differently.")
    reason: Annotated[str, _text(500)] = Field(
        default="", description="Why these jobs are sent again. Needed unless `preview` is true."
    )
    preview: Flag = Field(default=False, description="Only say what would be sent. Nothing is created.")
    start: Flag = Field(default=True, description="Whether to start the new batch at once.")

    @model_validator(mode="after")
    def _complete(self, info: ValidationInfo) -> Self:
        arrived = sorted({"delivered", "delivered_unconfirmed"}.intersection(self.states))
        if info.context is None:
            return self
        if arrived and not self.include_delivered:
            raise ValueError(
                f"jobs that are {' or '.join(arrived)} have brought their fax, or may have: add include_delivered if "
                "these recipients are to get it again"
            )
        if not self.states:
            raise ValueError("name at least one final state in states, or leave it out for failed")
        if not self.preview and not self.reason.strip():
            raise ValueError("say in reason why these jobs are sent again; it is kept with the new batch")
        return self


class NewReruns(NewRerun):
    """Which jobs of several batches to send again. Batches that send the same are run again as one."""

    batches: Annotated[
        tuple[_BatchId, ...], EnforcedByApi(Annotated[tuple[_BatchId, ...], Field(min_length=1, max_length=50)])
    ] = Field(description="Ids of the batches, 50 at most.")


_EventType = Annotated[str, _word_of(EVENT_TYPES)]
_EventTypes = Annotated[tuple[_EventType, ...], _list_of(_EventType, 100)]
_HookAddress = Annotated[
    str,
    EnforcedByApi(
        Annotated[
            str, Field(min_length=1, max_length=2000, json_schema_extra={"format": "uri", "pattern": "^https?://"})
        ]
    ),
]


class NewWebhookEndpoint(Request):
    """An address that gets events."""

    url: _HookAddress = Field(description="Address that events are sent to, with https.")
    types: _EventTypes = Field(default=(), description="Types of events to send; if left out, all.")
    description: Line = Field(default="", description="What it is, for people.")


class ChangeWebhookEndpoint(Request):
    """What to change of an endpoint. What is left out stays as it is."""

    url: _HookAddress | None = Field(default=None, description="Address that events are sent to, with https.")
    types: _EventTypes | None = Field(default=None, description="Types of events to send; an empty list: all.")
    description: Line | None = Field(default=None, description="What it is, for people.")
    enabled: Flag | None = Field(
        default=None, description="Whether it gets events. Once enabled, it gets those that it has missed."
    )


class Replay(Request):
    """From where an endpoint gets the events again: give one of both."""

    after: Annotated[str, EnforcedByApi(Annotated[str, *_pattern(r"[0-9]{1,15}-[0-9]{1,15}", _EVENT_ID)])] | None = (
        Field(default=None, description="Id of an event: those behind it.")
    )
    since: Time | None = Field(default=None, description="Those from this time on.")

    @model_validator(mode="after")
    def _names_a_place(self, info: ValidationInfo) -> Self:
        if info.context is not None and (self.after is None) == (self.since is None):
            raise ValueError("give after or since")
        return self


class NewSuppression(Request):
    """A number to put on the do-not-fax list."""

    number: Annotated[str, _text(100, min_length=1)] = Field(description="Number that must not be faxed, in any form.")
    country: Country | None = Field(default=None, description="Country of the number if it is in national form.")
    reason: Line = Field(default="", description="Why, for people.")
    source: Literal["manual", "opt_out"] = Field(
        default="manual", description="`opt_out` if the recipient asked not to be faxed."
    )
    expires_at: Time | None = Field(default=None, description="When the entry ends; if left out, never.")


class Rate(Request):
    """Limits of the account to change; those left out stay as they are. 0 for a minute or a day removes that limit."""

    per_second: Annotated[float, _between(float, 0.001, 10_000)] | None = Field(
        default=None, description="Requests to the provider in a second."
    )
    per_minute: Annotated[int, _between(int, 0, 1_000_000)] | None = Field(
        default=None, description="Requests to the provider in a minute; 0 for no limit."
    )
    per_day: Annotated[int, _between(int, 0, 1_000_000_000)] | None = Field(
        default=None, description="Requests to the provider in a day; 0 for no limit."
    )

    @model_validator(mode="after")
    def _names_a_limit(self, info: ValidationInfo) -> Self:
        if info.context is not None and not self.limits():
            raise ValueError("give per_second, per_minute or per_day")
        return self

    def limits(self) -> Mapping[str, float]:
        """Return the limits that are given, by the names of their fields."""
        return self.model_dump(exclude_none=True)


class ReleaseHolds(Request):
    """Which holds to release: those of a category, of a batch, of both, or all."""

    category: Annotated[str, _word_of(CATEGORIES)] | None = Field(
        default=None, description="Category of the holds, as `account` lists them."
    )
    batch: _BatchId | None = Field(
        default=None,
        description="Id of a batch: its own hold and those of its jobs. Holds of its documents are not its own.",
    )
    all: Flag = Field(default=False, description="All holds.")
    dry_run: Flag = Field(default=False, description="Only say which holds these are. Nothing is released.")

    @model_validator(mode="after")
    def _names_holds(self, info: ValidationInfo) -> Self:
        if info.context is not None and not (self.category or self.batch or self.all):
            raise ValueError("name the holds by category or batch, or release all of them with all")
        return self


class Resume(Request):
    """What an operator accepts so that sending continues."""

    accept_rollback: Flag = Field(
        default=False, description="Accept that Redis has lost writes, after looking at what the reconciliation found."
    )
