"""The fax record, what of it is shown, and the store that finds faxes quickly."""

from bisect import bisect_left, insort
from collections.abc import Iterator
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

from dispatcher.emulator.clock import rfc3339
from dispatcher.emulator.documents import Document
from dispatcher.emulator.odd_content import make_odd
from dispatcher.emulator.scenario import CallbackFault
from dispatcher.emulator.urls import masked

#: Days that the provider keeps a fax: 13 months.
RETENTION_MS = 396 * 86_400_000


@dataclass(slots=True, kw_only=True, eq=False)
class EmulatedFax:
    """One fax to or from one number. Times are milliseconds since 1970.

    `settings` holds the plain fields as they are shown; faxes with equal ones share one map.
    `ends_ms` None means that it is not final.
    """

    id: str
    direction: str
    to: str
    sender: str | None
    created_ms: int
    #: From when on it shows in the list.
    visible_ms: int
    settings: dict[str, Any]
    labels: dict[str, str] | None = None
    #: When the request for it began to come.
    requested_ms: int = 0
    callback_url: str | None = None
    callback_type: str = "multipart/form-data"
    content_urls: tuple[str, ...] = ()
    cover_page_data: dict[str, str] | None = None
    documents: tuple[Document, ...] = ()
    #: Whether each page that goes through is announced.
    page_notices: bool = False
    #: When conversion is done and the calls begin; far away until that is known.
    progress_ms: int = 1 << 62
    #: The PDF, once converted; None while or if nothing is stored.
    content: Document | None = None
    keep_file: bool = True
    pages: int = 0
    status: str = "QUEUED"
    ends_ms: int | None = None
    pages_sent: int = 0
    error: tuple[str, int, str] | None = None
    retries: int = 0
    price_per_page: str = "0.045"
    request_fault: str | None = None
    callback_fault: CallbackFault | None = None
    #: name of the odd fields that it is shown with
    odd_fields: str | None = None
    #: (time, HTTP status or 800, event) of each callback tried.
    callbacks: list[tuple[int, int, str]] = field(default_factory=list)
    bar_codes: list[dict[str, Any]] | None = None


def status_at(fax: EmulatedFax, now_ms: int) -> str:
    if fax.status == "QUEUED" and fax.progress_ms <= now_ms:
        return "IN_PROGRESS"
    return fax.status


def view(fax: EmulatedFax, now_ms: int) -> dict[str, Any]:
    """The Fax object as the API shows it; unset fields are left out."""
    shown: dict[str, Any] = {
        "id": fax.id,
        "direction": fax.direction,
        "to": fax.to,
        "status": status_at(fax, now_ms),
        "numberOfPages": fax.pages,
        "pagesSentSuccessfully": fax.pages_sent,
        "createTime": rfc3339(fax.created_ms),
        "hasFile": fax.content is not None,
        **fax.settings,
    }
    if fax.sender:
        shown["from"] = fax.sender
    if fax.labels is not None:
        shown["labels"] = fax.labels
    if fax.callback_url is not None:
        shown["callbackUrl"] = masked(fax.callback_url)
        shown["callbackUrlContentType"] = fax.callback_type
    if fax.content_urls:
        shown["contentUrl"] = [masked(url) for url in fax.content_urls]
    if fax.cover_page_data is not None:
        shown["coverPageData"] = fax.cover_page_data
    if fax.bar_codes:
        shown["barCodes"] = fax.bar_codes
    if fax.ends_ms is not None:
        _add_end(shown, fax, fax.ends_ms)
    if fax.odd_fields is not None:
        make_odd(shown, fax.odd_fields)
    return shown


def _add_end(shown: dict[str, Any], fax: EmulatedFax, ends_ms: int) -> None:
    shown["completedTime"] = rfc3339(ends_ms)
    shown["retryCount"] = fax.retries
    amount = int(float(fax.price_per_page) * 1000) * fax.pages_sent / 1000
    shown["price"] = {"currencyCode": "USD", "amount": f"{amount:.3f}"}
    shown["pricePerPage"] = fax.price_per_page
    if fax.error is not None:
        shown["errorType"], shown["errorCode"], shown["errorMessage"] = fax.error


class Faxes:
    """All faxes, oldest first, with an index by id and by both numbers."""

    def __init__(self) -> None:
        self.all: list[EmulatedFax] = []
        #: When the fax that shows last of all in the list will show.
        self.last_visible_ms = 0
        self._by_id: dict[str, EmulatedFax] = {}
        self._settings: dict[tuple[Any, ...], dict[str, Any]] = {}
        self._by_to = NumberIndex()
        self._by_sender = NumberIndex()

    def add(self, fax: EmulatedFax) -> None:
        self.all.append(fax)
        self._by_id[fax.id] = fax
        self._by_to.add(fax.to, fax)
        if fax.sender:
            self._by_sender.add(fax.sender, fax)
        self.last_visible_ms = max(self.last_visible_ms, fax.visible_ms)

    def shared(self, settings: dict[str, Any]) -> dict[str, Any]:
        """The one map that all faxes with these settings share: a mailing has a million equal ones."""
        return self._settings.setdefault(tuple(settings.items()), settings)

    def get(self, fax_id: str, now_ms: int) -> EmulatedFax | None:
        """The fax with this id, unless its retention has ended."""
        fax = self._by_id.get(fax_id)
        return fax if fax is not None and fax.created_ms > now_ms - RETENTION_MS else None

    def between(self, first_ms: int, end_ms: int) -> list[EmulatedFax]:
        """Faxes created from `first_ms` up to, not including, `end_ms`; oldest first."""
        created = attrgetter("created_ms")
        return self.all[bisect_left(self.all, first_ms, key=created) : bisect_left(self.all, end_ms, key=created)]

    def to_numbers(self, prefix: str) -> list[EmulatedFax]:
        """Faxes whose `to` begins like this; oldest first."""
        return self._by_to.starting_with(prefix)

    def from_numbers(self, prefix: str) -> list[EmulatedFax]:
        return self._by_sender.starting_with(prefix)


class NumberIndex:
    """Faxes by number, found by the beginning of the number without looking at all of them."""

    def __init__(self) -> None:
        self._faxes: dict[str, list[EmulatedFax]] = {}
        self._sorted: list[str] = []

    def add(self, number: str, fax: EmulatedFax) -> None:
        known = self._faxes.get(number)
        if known is None:
            self._faxes[number] = [fax]
            insort(self._sorted, number)
        else:
            known.append(fax)

    def starting_with(self, prefix: str) -> list[EmulatedFax]:
        found = [fax for number in self._numbers(prefix) for fax in self._faxes[number]]
        found.sort(key=attrgetter("created_ms", "id"))
        return found

    def _numbers(self, prefix: str) -> Iterator[str]:
        for i in range(bisect_left(self._sorted, prefix), len(self._sorted)):
            if not self._sorted[i].startswith(prefix):
                return
            yield self._sorted[i]
