"""One row of the retry table, and the closed sets that it is made of: category, verdict, what a failure spends.

A ``Rule`` is data only: ``dispatcher/core/retry/decide.py`` reads it.
"""

from dataclasses import dataclass
from enum import StrEnum

from dispatcher.core.job import FailureCode


class Category(StrEnum):
    """The failure class shown to people and used as a metric label.

    Records store the position in ``CATEGORIES``: add at the end only, never remove or reorder.
    """

    DOCUMENT_CONVERT = "document_convert"
    DOCUMENT_FETCH = "document_fetch"
    DOCUMENT_INVALID = "document_invalid"
    PROVIDER_STORAGE = "provider_storage"
    SIMULATED = "simulated"
    DOCUMENT_UNSUPPORTED = "document_unsupported"
    CALL_DROPPED = "call_dropped"
    CONGESTION = "congestion"
    NO_ANSWER = "no_answer"
    BUSY = "busy"
    CALL_REJECTED = "call_rejected"
    NO_FAX_TONE = "no_fax_tone"
    INCOMPATIBLE = "incompatible"
    BAD_NUMBER = "bad_number"
    CALL_SETUP = "call_setup"
    FAX_PROTOCOL = "fax_protocol"
    CAPABILITY = "capability"
    PAGE_UNCONFIRMED = "page_unconfirmed"
    TRAINING = "training"
    HANDSHAKE_TIMEOUT = "handshake_timeout"
    LINE_QUALITY = "line_quality"
    FUNDS = "funds"
    CANCELLED = "cancelled"
    NOT_PERMITTED = "not_permitted"
    PROVIDER_ERROR = "provider_error"
    UNKNOWN = "unknown"
    INVALID_REQUEST = "invalid_request"
    AUTH = "auth"
    CONFIG = "config"
    SUBMIT_UNKNOWN = "submit_unknown"
    TRANSPORT = "transport"
    DOCUMENT_TOO_LARGE = "document_too_large"
    RATE_LIMITED = "rate_limited"
    PROVIDER_UNAVAILABLE = "provider_unavailable"
    CALLBACK_UNREACHABLE = "callback_unreachable"
    CALLBACK_MISSING = "callback_missing"
    INTERNAL = "internal"
    RECORD_ROLLED_BACK = "record_rolled_back"
    #: the number is on the do-not-fax list
    SUPPRESSED = "suppressed"
    #: so many numbers of a batch are dead that somebody has to look at its list
    BAD_NUMBERS = "bad_numbers"


#: records store the position: 0 is "no failure"; append only
CATEGORIES: tuple[str, ...] = ("", *Category)

#: the type of failures of our own requests, whose code is the HTTP status, and the type of any other text
HTTP, OTHER = "http", "other"

#: records store the position: none, the provider's six, answers to our requests, any other text; append only
ERROR_TYPES: tuple[str, ...] = (
    "",
    "DOCUMENT_CONVERSION_ERROR",
    "CALL_ERROR",
    "FAX_ERROR",
    "FATAL_ERROR",
    "GENERAL_ERROR",
    "LINE_ERROR",
    HTTP,
    OTHER,
)

#: error types that report no pages. Under ``http`` the fax may still exist: see ``Verdict.UNCERTAIN``
TYPES_WITHOUT_PAGES = (HTTP, "DOCUMENT_CONVERSION_ERROR")


class Verdict(StrEnum):
    """The meaning of a failure for the job."""

    RETRY = "retry"
    PERMANENT = "permanent"
    #: not the job's fault: sending stops for a scope, the job waits and nothing is spent
    HOLD = "hold"
    #: the fax may exist: look it up before anything else
    UNCERTAIN = "uncertain"


class Spends(StrEnum):
    """The counter of the job that a failure raises."""

    #: a call that failed before a machine answered
    DIAL = "dial"
    #: a call in which a machine answered, without progress
    TRY = "try"
    #: an answer of 5xx, or a send that vanished
    SERVER_ERROR = "server_error"
    NOTHING = "nothing"


class Scope(StrEnum):
    """The kind of scope that a hold stops."""

    ACCOUNT = "account"
    #: all sending, because the provider does not work
    PROVIDER = "provider"
    BATCH = "batch"
    DOCUMENT = "document"
    #: the account's sending to one country
    COUNTRY = "country"
    #: this job alone, until someone looks at it
    JOB = "job"


class CalendarDelay(StrEnum):
    """Delays that depend on the calendar."""

    #: the policy's business morning, Monday to Friday, at least four hours away
    NEXT_BUSINESS_MORNING = "next business morning"
    #: the same time tomorrow
    NEXT_DAY = "next day"


#: seconds, or a time by the calendar
Delay = float | CalendarDelay


class LookupBy(StrEnum):
    """How an uncertain outcome is looked up."""

    #: search the provider's list for our label at ``Policy.lookups_s`` after the attempt's send deadline
    BY_LABEL = "by_label"
    #: read the fax by its id, after the rule's delays, or ``Policy.readback_s`` if it has none
    BY_ID = "by_id"


@dataclass(frozen=True, slots=True, kw_only=True)
class Remedy:
    """Something to change before the next attempt. While it is not implemented, the rule's fallback applies."""

    name: str
    implemented: bool = False


class Fallback(StrEnum):
    """What happens while a remedy of the rule is not implemented.

    Only PERMANENT changes the decision. The others describe what the rule's own fields do.
    """

    #: no remedy is missing
    NONE = ""
    #: the rule's delays and verdict hold as if there were no remedy
    UNCHANGED = "unchanged"
    #: without the remedy a repeat brings the same failure, so the job fails
    PERMANENT = "permanent"
    #: one retry that forces FINE, then the job fails
    FORCE_FINE = "force_fine"
    #: partly sent faxes follow ``on_partial``; otherwise unchanged
    ON_PARTIAL = "on_partial"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One row of the retry table. Delays are seconds, or named times."""

    error_type: str
    #: the provider's code; HTTP status under ``http``, 0 where no status came
    error_code: int
    category: Category
    verdict: Verdict
    spends: Spends
    #: the wait after the first, second, ... failure of the category; the last one repeats
    delays: tuple[Delay, ...] = ()
    #: attempts of the category, the first included; 0: no limit of its own
    max_attempts: int = 0
    #: the delays for numbers that have not taken a fax before; empty: as ``delays``. Past deliveries are not remembered
    #: yet, so every number counts as such
    unproven_delays: tuple[Delay, ...] = ()
    #: 0: as ``max_attempts``
    unproven_max: int = 0
    #: what is held; None: nothing
    scope: Scope | None = None
    #: failures in a row of one scope that hold it; 1: at once. For batches and for ``wider``, the policy's values
    #: replace values above 1
    hold_after: int = 0
    #: a larger hold, opened as well once this rule has held ``wider.hold_after`` countries within
    #: ``Policy.forbidden_sends`` sends
    wider: "Rule | None" = None
    #: if some pages arrived, ``on_partial`` decides (shown as a diamond in the documentation)
    asks_on_partial: bool = False
    #: the retry of the category from which FINE is forced; 0: never
    fine_from: int = 0
    #: no retry after a fax that was sent in FINE, because nothing else can be changed
    final_once_fine: bool = False
    remedies: tuple[Remedy, ...] = ()
    fallback: Fallback = Fallback.NONE
    lookups: LookupBy = LookupBy.BY_LABEL
    #: people are alerted when it happens for the first time
    alert: bool = False
    why: str

    @property
    def failure(self) -> FailureCode:
        """The failure as records and history keep it."""
        return FailureCode(category=self.category, error_type=self.error_type, error_code=self.error_code)

    @property
    def verdict_now(self) -> Verdict:
        """The verdict, given which remedies are implemented."""
        lacking = any(not remedy.implemented for remedy in self.remedies)
        return Verdict.PERMANENT if lacking and self.fallback is Fallback.PERMANENT else self.verdict

    @property
    def called(self) -> bool:
        """Whether the number was called, so that the next call has to keep its distance."""
        return self.spends in (Spends.DIAL, Spends.TRY)

    def delays_for(self, proven: bool) -> tuple[Delay, ...]:
        """Return the waits for a number that took a fax before (``proven``), or for one that did not."""
        return self.delays if proven else self.unproven_delays or self.delays

    def max_for(self, proven: bool) -> int:
        """Return the attempts of the category for a number that took a fax before (``proven``), or that did not."""
        return self.max_attempts if proven else self.unproven_max or self.max_attempts
