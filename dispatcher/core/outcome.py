"""The provider's answers and updates, in the dispatcher's own terms.

``SendOutcome`` is the closed set of answers to one POST, divided by what may be done next: only an ``Unclear`` send may
exist at the provider unknown to bulkfax, and only ``NotSent``, ``RateLimited`` and ``Refused`` certainly do not exist
there. ``FaxUpdate`` is what a callback, a read-back, a list or a search reports about one fax.
"""

from dataclasses import dataclass
from enum import StrEnum


class FaxStatus(StrEnum):
    """The state of a fax at the provider."""

    UNFINISHED = "unfinished"
    COMPLETED = "completed"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True, kw_only=True)
class FaxUpdate:
    """The state of one fax at the provider. ``job`` and ``attempt`` come from its labels or the callback URL.

    ``write_epoch`` comes from a label of what was read at the provider, never from the body of a callback.
    """

    fax_id: str
    status: FaxStatus
    to: str = ""
    job: str = ""
    attempt: int = 0
    #: of the account, when the attempt began; 0 if not known
    write_epoch: int = 0
    error_type: str = ""
    error_code: int = 0
    message: str = ""
    pages_sent: int = 0
    pages_total: int = 0
    #: RFC 3339 time at which the provider created the fax, as milliseconds since 1970; 0 if not known
    created_ms: int = 0
    #: the time at which it was delivered or failed
    ended_ms: int = 0
    #: price of the fax in units (``core.prices``), and its currency; empty if the provider has not named it
    price: int = 0
    currency: str = ""

    @property
    def partly_sent(self) -> bool:
        """Whether it failed after pages had arrived: what happens then is the batch's choice."""
        return self.status is FaxStatus.FAILURE and self.pages_sent > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """2xx with a readable fax."""

    update: FaxUpdate


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """4xx other than 408 and 429: the provider read the request and accepted nothing."""

    status: int
    message: str = ""
    #: names of the fields in ``fieldViolations``
    fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimited:
    """429. ``retry_after_s`` is None when the provider named no time."""

    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NotSent:
    """The request surely did not arrive: DNS, connect, TLS, no free connection, or no token to send it with."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unclear:
    """The request may have arrived: timeout or reset after the first byte, 5xx, 408, unreadable 2xx."""

    reason: str
    #: HTTP status, if an answer came
    status: int | None = None
    #: 503 may name a time; it slows the shared rate
    retry_after_s: float | None = None


SendOutcome = Accepted | Refused | RateLimited | NotSent | Unclear
