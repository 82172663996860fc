"""The emulated fax, its JSON representation, and the collection of all faxes."""

from bisect import bisect_left, insort
from collections.abc import Iterator
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

from dispatcher.emulator.clock import rfc3339
from dispatcher.emulator.documents import Document
from dispatcher.emulator.odd_content import make_odd
from dispatcher.emulator.scenario import CallbackFault
from dispatcher.emulator.urls import redact_credentials

#: how long the provider keeps a fax: 13 months
RETENTION_MS = 396 * 86_400_000


@dataclass(slots=True, kw_only=True, eq=False)
class EmulatedFax:
    """One fax to or from one number.

    Times are milliseconds since 1970.
    """

    id: str
    direction: str
    to: str
    sender: str | None
    created_ms: int
    #: time from which the list contains the fax
    visible_ms: int
    #: fields that are shown unchanged; faxes with equal settings share one dictionary
    settings: dict[str, Any]
    labels: dict[str, str] | None = None
    #: time at which the request that created the fax began to arrive
    requested_ms: int = 0
    callback_url: str | None = None
    callback_type: str = "multipart/form-data"
    content_urls: tuple[str, ...] = ()
    cover_page_data: dict[str, str] | None = None
    documents: tuple[Document, ...] = ()
    #: whether each transmitted page causes a callback
    page_callbacks: bool = False
    #: time at which conversion ends and the calls begin; in the far future until it is known
    progress_ms: int = 1 << 62
    #: the PDF after conversion; None if no content is stored
    content: Document | None = None
    keep_file: bool = True
    pages: int = 0
    status: str = "QUEUED"
    #: time at which the fax became final; None: not final
    ends_ms: int | None = None
    pages_sent: int = 0
    #: type, code and message
    error: tuple[str, int, str] | None = None
    retries: int = 0
    price_per_page: str = "0.045"
    request_fault: str | None = None
    callback_fault: CallbackFault | None = None
    #: name in ``odd_content.FIELDS`` of the fields that replace the real ones
    odd_fields: str | None = None
    #: time, HTTP status (or 800) and event of each callback delivery
    callbacks: list[tuple[int, int, str]] = field(default_factory=list)
    bar_codes: list[dict[str, Any]] | None = None


def status_at(fax: EmulatedFax, now_ms: int) -> str:
    """Return the status of a fax as the API shows it at this time."""
    if fax.status == "QUEUED" and fax.progress_ms <= now_ms:
        return "IN_PROGRESS"
    return fax.status


def view(fax: EmulatedFax, now_ms: int) -> dict[str, Any]:
    """Return the Fax object as the API shows it, without unset fields."""
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
        shown["callbackUrl"] = redact_credentials(fax.callback_url)
        shown["callbackUrlContentType"] = fax.callback_type
    if fax.content_urls:
        shown["contentUrl"] = [redact_credentials(url) for url in fax.content_urls]
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
    """All faxes, oldest first, with indexes by ID, recipient number and sender number."""

    def __init__(self) -> None:
        self.all: list[EmulatedFax] = []
        #: latest ``visible_ms`` of all faxes
        self.last_visible_ms = 0
        self._by_id: dict[str, EmulatedFax] = {}
        self._settings: dict[tuple[Any, ...], dict[str, Any]] = {}
        self._by_to = NumberIndex()
        self._by_sender = NumberIndex()

    def add(self, fax: EmulatedFax) -> None:
        """Add a fax; faxes are added in the order of their creation."""
        self.all.append(fax)
        self._by_id[fax.id] = fax
        self._by_to.add(fax.to, fax)
        if fax.sender:
            self._by_sender.add(fax.sender, fax)
        self.last_visible_ms = max(self.last_visible_ms, fax.visible_ms)

    def share_settings(self, settings: dict[str, Any]) -> dict[str, Any]:
        """Return the dictionary that all faxes with these settings share.

        It saves memory: a mailing has a million faxes.
        """
        return self._settings.setdefault(tuple(settings.items()), settings)

    def get(self, fax_id: str, now_ms: int) -> EmulatedFax | None:
        """Return the fax with this ID; None if it does not exist or its retention period has ended."""
        fax = self._by_id.get(fax_id)
        return fax if fax is not None and fax.created_ms > now_ms - RETENTION_MS else None

    def between(self, first_ms: int, end_ms: int) -> list[EmulatedFax]:
        """Return the faxes created in [``first_ms``, ``end_ms``), oldest first."""
        created = attrgetter("created_ms")
        return self.all[bisect_left(self.all, first_ms, key=created) : bisect_left(self.all, end_ms, key=created)]

    def to_numbers(self, prefix: str) -> list[EmulatedFax]:
        """Return the faxes whose recipient number starts with ``prefix``, oldest first."""
        return self._by_to.starting_with(prefix)

    def from_numbers(self, prefix: str) -> list[EmulatedFax]:
        """Return the faxes whose sender number starts with ``prefix``, oldest first."""
        return self._by_sender.starting_with(prefix)


class NumberIndex:
    """Index of faxes by number.

    It finds a prefix by binary search, without a scan of all faxes.
    """

    def __init__(self) -> None:
        self._faxes: dict[str, list[EmulatedFax]] = {}
        self._sorted: list[str] = []

    def add(self, number: str, fax: EmulatedFax) -> None:
        """Add a fax under a number."""
        faxes = self._faxes.get(number)
        if faxes is None:
            self._faxes[number] = [fax]
            insort(self._sorted, number)
        else:
            faxes.append(fax)

    def starting_with(self, prefix: str) -> list[EmulatedFax]:
        """Return the faxes whose number starts with ``prefix``, oldest first."""
        faxes = [fax for number in self._numbers(prefix) for fax in self._faxes[number]]
        faxes.sort(key=attrgetter("created_ms", "id"))
        return faxes

    def _numbers(self, prefix: str) -> Iterator[str]:
        for index in range(bisect_left(self._sorted, prefix), len(self._sorted)):
            if not self._sorted[index].startswith(prefix):
                return
            yield self._sorted[index]
