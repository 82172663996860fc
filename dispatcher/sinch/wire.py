"""What the provider says of faxes, read tolerantly into our own terms, and the query of a list."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

from dispatcher.core.outcome import FaxStatus, FaxUpdate
from dispatcher.sinch.coerce import identifier, json_object, mapping, text, time_ms, whole
from dispatcher.sinch.errors import UnreadableError

#: labels that we put on every fax and find it again by, and the account's write epoch when it was begun
JOB_LABEL = "bulkfax-job"
ATTEMPT_LABEL = "bulkfax-attempt"
EPOCH_LABEL = "bulkfax-epoch"

#: the largest page that the provider serves
LARGEST_PAGE = 1000
#: more pages than any list that we ask for has
MOST_PAGES = 10_000

#: characters of a number, of one of our labels, of an error's type, and of a text for people
_NUMBER_CHARS, _LABEL_CHARS, _TYPE_CHARS, _MESSAGE_CHARS = 64, 100, 64, 500
#: the largest error code, number of pages and attempt number that are kept
_MOST_CODE, _MOST_PAGES, _MOST_ATTEMPT, _MOST_EPOCH = 0xFFFF, 0xFFFF, 0xFFFF_FFFF, 2**53 - 1
#: the last second that RFC 3339 can name, since 1970
_LAST_S = 253_402_300_799

#: the only final statuses; anything else, known or not, is unfinished
_FINAL = {"COMPLETED": FaxStatus.COMPLETED, "FAILURE": FaxStatus.FAILURE}


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptLabels:
    """The labels of a fax that name the attempt it was sent for."""

    #: ``<batch>.<row>``; empty when the labels name no job
    job: str
    #: 0 when the labels name none
    attempt: int
    #: the account's write epoch when the attempt began; 0 when the labels name none
    write_epoch: int = 0

    @classmethod
    def read(cls, labels: object) -> Self:
        """Read the labels of an order or of a fax; whatever cannot be used counts as absent."""
        values = mapping(labels)
        return cls(
            job=text(values.get(JOB_LABEL), _LABEL_CHARS),
            attempt=_known(values.get(ATTEMPT_LABEL), _MOST_ATTEMPT),
            write_epoch=_known(values.get(EPOCH_LABEL), _MOST_EPOCH),
        )

    def labels(self) -> Mapping[str, str]:
        """Return the labels to put on the fax."""
        epoch = {EPOCH_LABEL: str(self.write_epoch)} if self.write_epoch else {}
        return {JOB_LABEL: self.job, ATTEMPT_LABEL: str(self.attempt), **epoch}


@dataclass(frozen=True, slots=True, kw_only=True)
class FaxQuery:
    """Which faxes to list. ``to`` and ``sender`` match as prefixes; times are milliseconds since 1970, inclusive.

    Without any time the provider lists the last seven days only.
    """

    direction: str = "OUTBOUND"
    status: str = ""
    to: str = ""
    sender: str = ""
    service_id: str = ""
    created_from_ms: int | None = None
    created_to_ms: int | None = None
    page_size: int = LARGEST_PAGE

    def filters(self) -> tuple[tuple[str, str], ...]:
        """The query without paging. The operator of a time is part of its name."""
        named = {
            "direction": self.direction,
            "status": self.status,
            "to": self.to,
            "from": self.sender,
            "serviceId": self.service_id,
            "createTime>": _seconds(self.created_from_ms, round_up=False),
            "createTime<": _seconds(self.created_to_ms, round_up=True),
        }
        return tuple((name, value) for name, value in named.items() if value)

    def params(self, page: int) -> tuple[tuple[str, str], ...]:
        """The query of one page, counted from 1."""
        return (*self.filters(), ("pageSize", str(self.page_size)), ("page", str(page)))


@dataclass(frozen=True, slots=True, kw_only=True)
class ListPage:
    """One page of a list of faxes. ``page`` counts from 1; ``total_pages`` is 0 when the provider does not say."""

    faxes: tuple[FaxUpdate, ...]
    page: int
    total_pages: int
    #: The jobs of faxes whose id cannot be used; empty text for one that names no job, which may be any fax. They are
    #: at the provider, so the list does not prove the absence of theirs.
    unusable: tuple[str, ...] = ()


def news(fax: Mapping[str, object]) -> FaxUpdate:
    """What one fax object says. Raises UnreadableError when it has no id that can be used: nothing can be done then."""
    fax_id = identifier(fax.get("id"))
    if not fax_id:
        raise UnreadableError("a fax without an id that can be used")
    labels = AttemptLabels.read(fax.get("labels"))
    return FaxUpdate(
        fax_id=fax_id,
        status=_FINAL.get(text(fax.get("status"), _TYPE_CHARS).upper(), FaxStatus.UNFINISHED),
        to=text(fax.get("to"), _NUMBER_CHARS),
        job=labels.job,
        attempt=labels.attempt,
        write_epoch=labels.write_epoch,
        error_type=text(fax.get("errorType"), _TYPE_CHARS),
        error_code=_known(fax.get("errorCode"), _MOST_CODE),
        message=text(fax.get("errorMessage"), _MESSAGE_CHARS),
        pages_sent=min(max(whole(fax.get("pagesSentSuccessfully")), 0), _MOST_PAGES),
        pages_total=min(max(whole(fax.get("numberOfPages")), 0), _MOST_PAGES),
        created_ms=time_ms(fax.get("createTime")),
        ended_ms=time_ms(fax.get("completedTime")),
    )


def _known(value: object, most: int) -> int:
    """A number from 0 to ``most``; any other is not known, which is 0."""
    number = whole(value)
    return number if 0 <= number <= most else 0


def read_fax(body: bytes, *, status: int = 200) -> FaxUpdate:
    """The fax in an answer of that status; a list of one counts as that fax. Raises UnreadableError."""
    answer = json_object(body)
    if answer is None:
        raise UnreadableError("the answer is not a JSON object", status=status)
    faxes = answer.get("faxes")
    fax = mapping(faxes[0]) if isinstance(faxes, list) and len(faxes) == 1 else answer
    try:
        return news(fax)
    except UnreadableError as error:
        raise UnreadableError(str(error), status=status) from error


def read_page(body: bytes, query: FaxQuery, page: int) -> ListPage:
    """One page of a list. A fax that cannot be used harms no other. Raises UnreadableError: an unreadable list must
    never pass for one without faxes."""
    answer = json_object(body)
    faxes = None if answer is None else answer.get("faxes")
    if answer is None or not isinstance(faxes, list):
        raise UnreadableError("the answer is not a list of faxes")
    pages = total_pages(answer)
    if pages > MOST_PAGES:
        raise UnreadableError(f"a list of {pages} pages")
    items = [mapping(fax) for fax in faxes]
    return ListPage(
        faxes=tuple(news(item) for item in items if identifier(item.get("id"))),
        page=whole(answer.get("page")) or whole(answer.get("pageNumber")) or page,
        total_pages=pages,
        unusable=tuple(AttemptLabels.read(item.get("labels")).job for item in items if not identifier(item.get("id"))),
    )


def total_pages(answer: Mapping[str, object]) -> int:
    """How many pages a list says it has; 0 when it does not. A number of items says nothing of the pages: the provider
    may give smaller ones than it was asked for."""
    return max(0, whole(answer.get("totalPages")))


def _seconds(time: int | None, *, round_up: bool) -> str:
    """RFC 3339 in whole seconds, as the provider writes times; rounding never narrows the window. A time before 1970,
    or after the last that can be written, is cut to that."""
    if time is None:
        return ""
    seconds = min(max(-(-time // 1000) if round_up else time // 1000, 0), _LAST_S)
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
