"""Reads the provider's faxes and lists into ``FaxUpdate``, and builds the query of a list."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Self

from dispatcher.core.counted import counted
from dispatcher.core.outcome import FaxStatus, FaxUpdate
from dispatcher.core.prices import read_price
from dispatcher.sinch.coerce import (
    MAX_ITEMS,
    explanation,
    has_too_many_values,
    identifier,
    integer,
    json_object,
    mapping,
    text,
    time_ms,
)
from dispatcher.sinch.errors import TooLargeError, UnreadableError

#: labels of every fax: its job, its attempt number, and the write epoch of the account when the attempt began
JOB_LABEL = "bulkfax-job"
ATTEMPT_LABEL = "bulkfax-attempt"
EPOCH_LABEL = "bulkfax-epoch"

#: maximum page size of the provider
MAX_PAGE_SIZE = 1000
#: a list with more pages is unreadable
MAX_LIST_PAGES = 10_000

#: maximum characters of a number, of a label, of an error type, and of an error message
_NUMBER_CHARS, _LABEL_CHARS, _TYPE_CHARS, _MESSAGE_CHARS = 64, 100, 64, 500
#: maximum error code, number of pages, attempt number and write epoch that are kept
_MAX_CODE, _MAX_PAGES, _MAX_ATTEMPT, _MAX_EPOCH = 0xFFFF, 0xFFFF, 0xFFFF_FFFF, 2**53 - 1
#: the last second that RFC 3339 can represent, since 1970
_LAST_S = 253_402_300_799

#: the final statuses; any other status counts as unfinished
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
            attempt=_integer_up_to(values.get(ATTEMPT_LABEL), _MAX_ATTEMPT),
            write_epoch=_integer_up_to(values.get(EPOCH_LABEL), _MAX_EPOCH),
        )

    def labels(self) -> Mapping[str, str]:
        """Return the labels to put on the fax."""
        epoch = {EPOCH_LABEL: str(self.write_epoch)} if self.write_epoch else {}
        return {JOB_LABEL: self.job, ATTEMPT_LABEL: str(self.attempt), **epoch}


@dataclass(frozen=True, slots=True, kw_only=True)
class FaxQuery:
    """The filters of a list of faxes.

    ``to`` and ``sender`` are prefixes. Times are milliseconds since 1970, inclusive; without times, the provider lists
    the last seven days only.
    """

    direction: str = "OUTBOUND"
    status: str = ""
    to: str = ""
    sender: str = ""
    service_id: str = ""
    created_from_ms: int | None = None
    created_to_ms: int | None = None
    page_size: int = MAX_PAGE_SIZE

    def filters(self) -> tuple[tuple[str, str], ...]:
        """Return the query parameters without paging.

        The operator of a time is part of its name.
        """
        parameters = {
            "direction": self.direction,
            "status": self.status,
            "to": self.to,
            "from": self.sender,
            "serviceId": self.service_id,
            "createTime>": _rfc3339(self.created_from_ms, round_up=False),
            "createTime<": _rfc3339(self.created_to_ms, round_up=True),
        }
        return tuple((name, value) for name, value in parameters.items() if value)

    def params(self, page: int) -> tuple[tuple[str, str], ...]:
        """Return the query parameters of a page, counted from 1."""
        return (*self.filters(), ("pageSize", str(self.page_size)), ("page", str(page)))

    def in_smaller_pages(self) -> "FaxQuery | None":
        """Return the query with a tenth of the page size, for a list whose pages are too large to read.

        The provider repeats the merge fields of each fax, so that 1,000 faxes may be more than a client reads. Returns
        None if the pages have one fax already.
        """
        return replace(self, page_size=max(1, self.page_size // 10)) if self.page_size > 1 else None

    def in_halves(self) -> "tuple[FaxQuery, FaxQuery] | None":
        """Return a query of the earlier and one of the later half of the time, which share the second between them.

        Returns None if the time is not limited, or too short to be divided.
        """
        if self.created_from_ms is None or self.created_to_ms is None:
            return None
        middle_ms = (self.created_from_ms + self.created_to_ms) // 2_000 * 1_000
        if not self.created_from_ms < middle_ms < self.created_to_ms - 1_000:
            return None
        return replace(self, created_to_ms=middle_ms), replace(self, created_from_ms=middle_ms)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListPage:
    """One page of a list of faxes.

    ``page`` counts from 1; ``total_pages`` is 0 if the provider does not send it.
    """

    faxes: tuple[FaxUpdate, ...]
    page: int
    total_pages: int
    #: jobs of the faxes without a usable ID; an empty string if such a fax names no job. These faxes exist, so the list
    #: does not prove that their jobs have no fax
    unusable: tuple[str, ...] = ()


def fax_update(fax: Mapping[str, object]) -> FaxUpdate:
    """Read a Fax object.

    Raises:
        UnreadableError: it has no usable ID.
    """
    fax_id = identifier(fax.get("id"))
    if not fax_id:
        raise UnreadableError("a fax without a usable id")
    labels = AttemptLabels.read(fax.get("labels"))
    charged = mapping(fax.get("price"))
    amount, currency_code = (text(charged.get(name), _NUMBER_CHARS) for name in ("amount", "currencyCode"))
    price, currency = read_price(amount, currency_code)
    return FaxUpdate(
        fax_id=fax_id,
        status=_FINAL.get(text(fax.get("status"), _TYPE_CHARS).upper(), FaxStatus.UNFINISHED),
        to=text(fax.get("to"), _NUMBER_CHARS),
        job=labels.job,
        attempt=labels.attempt,
        write_epoch=labels.write_epoch,
        error_type=explanation(fax.get("errorType"), _TYPE_CHARS),
        error_code=_integer_up_to(fax.get("errorCode"), _MAX_CODE),
        message=explanation(fax.get("errorMessage"), _MESSAGE_CHARS),
        pages_sent=min(max(integer(fax.get("pagesSentSuccessfully")), 0), _MAX_PAGES),
        pages_total=min(max(integer(fax.get("numberOfPages")), 0), _MAX_PAGES),
        created_ms=time_ms(fax.get("createTime")),
        ended_ms=time_ms(fax.get("completedTime")),
        price=price,
        currency=currency,
    )


def _integer_up_to(value: object, maximum: int) -> int:
    """Return a number from 0 to ``maximum``; 0, which means unknown, for any other value."""
    number = integer(value)
    return number if 0 <= number <= maximum else 0


def read_fax(body: bytes, *, status: int = 200) -> FaxUpdate:
    """Read the fax in the body of a response with this status; a list with one fax counts as that fax.

    Raises:
        UnreadableError: the body is not a fax.
    """
    response = json_object(body)
    if response is None:
        raise UnreadableError("the answer is not a JSON object", status=status)
    faxes = response.get("faxes")
    fax = mapping(faxes[0]) if isinstance(faxes, list) and len(faxes) == 1 else response
    try:
        return fax_update(fax)
    except UnreadableError as error:
        raise UnreadableError(str(error), status=status) from error


def read_page(body: bytes, query: FaxQuery, page: int) -> ListPage:
    """Read a page of a list of faxes from the body of a response.

    Faxes without a usable ID do not affect the others.

    Raises:
        TooLargeError: the body has too many values or items.
        UnreadableError: the body is not a list. It must not be confused with an empty list.
    """
    response, faxes = read_items(body, "faxes")
    pages = total_pages(response)
    items = [mapping(fax) for fax in faxes]
    return ListPage(
        faxes=tuple(fax_update(item) for item in items if identifier(item.get("id"))),
        page=page_number(response) or page,
        total_pages=pages,
        unusable=tuple(AttemptLabels.read(item.get("labels")).job for item in items if not identifier(item.get("id"))),
    )


def read_items(body: bytes, key: str) -> tuple[Mapping[str, object], list[object]]:
    """Return the object in the body of a response, and its array ``key``.

    Raises:
        TooLargeError: there are too many values or items.
        UnreadableError: the body has no such array.
    """
    response = json_object(body)
    items = None if response is None else response.get(key)
    if response is not None and isinstance(items, list) and len(items) <= MAX_ITEMS:
        return response, items
    if isinstance(items, list) or has_too_many_values(body):
        raise TooLargeError(f"the list of {key} has too many values")
    raise UnreadableError(f"the answer is not a list of {key}")


def total_pages(response: Mapping[str, object]) -> int:
    """Return the number of pages of a list; 0 if it does not have one.

    The number of items is not used, because the provider may send smaller pages than requested.

    Raises:
        UnreadableError: there are more than anybody has.
    """
    pages = max(0, integer(response.get("totalPages")))
    if pages > MAX_LIST_PAGES:
        raise UnreadableError(f"a list of {counted(pages, 'page')}")
    return pages


def page_number(response: Mapping[str, object]) -> int:
    """Return the number of a page of a list, counted from 1; 0 if it names none."""
    number = integer(response.get("page")) or integer(response.get("pageNumber"))
    return number if 0 < number <= MAX_LIST_PAGES else 0


def _rfc3339(time_ms: int | None, *, round_up: bool) -> str:
    """Format a time as RFC 3339 with whole seconds, within the range that RFC 3339 can represent."""
    if time_ms is None:
        return ""
    seconds = min(max(-(-time_ms // 1000) if round_up else time_ms // 1000, 0), _LAST_S)
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
