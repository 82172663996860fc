"""What the provider says of faxes, read tolerantly into our own terms, and the query of a list."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from dispatcher.core.outcome import FaxNews, FaxStatus
from dispatcher.sinch.errors import UnreadableError
from dispatcher.sinch.reading import json_object, mapping, text, time_ms, whole

#: labels that we put on every fax and find it again by
JOB_LABEL = "bulkfax-job"
ATTEMPT_LABEL = "bulkfax-attempt"

#: the largest page that the provider serves
LARGEST_PAGE = 1000

#: the only final statuses; anything else, known or not, is unfinished
_FINAL = {"COMPLETED": FaxStatus.COMPLETED, "FAILURE": FaxStatus.FAILURE}


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
    """One page of a list of faxes. ``page`` counts from 1."""

    faxes: tuple[FaxNews, ...]
    page: int
    total_pages: int


def news(fax: Mapping[str, object]) -> FaxNews:
    """What one fax object says. Raises UnreadableError when it has no id, without which nothing can be done."""
    fax_id = text(fax.get("id"))
    if not fax_id:
        raise UnreadableError("a fax without an id")
    labels = mapping(fax.get("labels"))
    return FaxNews(
        fax_id=fax_id,
        status=_FINAL.get(text(fax.get("status")).upper(), FaxStatus.UNFINISHED),
        to=text(fax.get("to")),
        job=text(labels.get(JOB_LABEL)),
        attempt=whole(labels.get(ATTEMPT_LABEL)),
        error_type=text(fax.get("errorType")),
        error_code=whole(fax.get("errorCode")),
        message=text(fax.get("errorMessage")),
        pages_sent=whole(fax.get("pagesSentSuccessfully")),
        pages_total=whole(fax.get("numberOfPages")),
        created_ms=time_ms(fax.get("createTime")),
        ended_ms=time_ms(fax.get("completedTime")),
    )


def read_fax(body: bytes) -> FaxNews:
    """The fax in an answer; a list of one counts as that fax. Raises UnreadableError."""
    answer = json_object(body)
    if answer is None:
        raise UnreadableError("the answer is not a JSON object")
    faxes = answer.get("faxes")
    if isinstance(faxes, list) and len(faxes) == 1:
        return news(mapping(faxes[0]))
    return news(answer)


def read_page(body: bytes, query: FaxQuery, page: int) -> ListPage:
    """One page of a list. Raises UnreadableError: an unreadable list must never pass for one without faxes."""
    answer = json_object(body)
    faxes = None if answer is None else answer.get("faxes")
    if answer is None or not isinstance(faxes, list):
        raise UnreadableError("the answer is not a list of faxes")
    return ListPage(
        faxes=tuple(news(mapping(fax)) for fax in faxes),
        page=whole(answer.get("page")) or whole(answer.get("pageNumber")) or page,
        total_pages=total_pages(answer, page=page, page_size=query.page_size, items=len(faxes)),
    )


def total_pages(answer: Mapping[str, object], *, page: int, page_size: int, items: int) -> int:
    """How many pages a list has; without paging fields a full page is taken for one that has a next."""
    if "totalPages" in answer:
        return whole(answer["totalPages"])
    if "totalItems" in answer:
        return -(-whole(answer["totalItems"]) // page_size)
    return page + 1 if items >= page_size else page


def _seconds(time: int | None, *, round_up: bool) -> str:
    """RFC 3339 in whole seconds, as the provider writes times; rounding never narrows the window."""
    if time is None:
        return ""
    seconds = -(-time // 1000) if round_up else time // 1000
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
