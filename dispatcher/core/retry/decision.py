"""The values of a retry decision: what failed, and the closed set of what may follow.

Each decision carries ``why``: one sentence for people.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from dispatcher.core.job import NO_FAILURES_COUNTED, FailureCounters, State
from dispatcher.core.lifecycle import Event
from dispatcher.core.retry_table.rule import Category, Rule, Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureHistory:
    """The facts about a job's earlier attempts that a retry decision depends on."""

    #: failures so far by category
    failures: Mapping[str, int] = field(default_factory=dict)
    counters: FailureCounters = NO_FAILURES_COUNTED
    #: the most pages that any attempt sent
    best_pages: int = 0
    #: the number took a fax before, as far as is remembered
    proven: bool = False
    #: the failed attempt was in FINE already
    already_fine: bool = False
    #: look-ups or read-backs of the present attempt that brought nothing new
    lookups: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedAttempt:
    """A failed fax, a refused request or an unclear send, and the failures of its job before it."""

    rule: Rule
    history: FailureHistory = FailureHistory()
    pages_sent: int = 0
    pages_total: int = 0
    #: the last moment at which the request may have gone out; look-ups count from it, or from now if that is later
    deadline_ms: int = 0

    @property
    def label(self) -> str:
        """The category for people."""
        return self.rule.category.replace("_", " ")

    @property
    def failures(self) -> int:
        """Failures of the category, this one included."""
        return self.history.failures.get(self.rule.category, 0) + 1

    @property
    def limit(self) -> int:
        """Attempts of the category, the first included; 0: no limit of its own."""
        return self.rule.max_for(self.history.proven)

    @property
    def attempt(self) -> str:
        """Which attempt of how many it was, for people."""
        limit = f" of {self.limit}" if self.limit else ""
        return f"{self.label}, attempt {self.failures}{limit}"


class GiveUpReason(StrEnum):
    """Why a job is given up."""

    PERMANENT = "permanent"
    #: the category's own limit
    ATTEMPTS = "attempts"
    DIALS = "dials"
    TRIES = "tries"
    SERVER_ERRORS = "server_errors"
    NOTHING_TO_CHANGE = "nothing_to_change"
    PAGES_CONFIRMED = "pages_confirmed"
    PARTIAL = "partial"


#: reasons that leave paper at the recipient
_PAGES_ARRIVED = (GiveUpReason.PAGES_CONFIRMED, GiveUpReason.PARTIAL)


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryAt:
    """The job is sent again, not before ``at_ms``."""

    at_ms: int
    counters: FailureCounters
    force_fine: bool
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GiveUp:
    """The job ends."""

    counters: FailureCounters
    reason: GiveUpReason
    why: str

    @property
    def event(self) -> Event:
        """The event that ends the job."""
        return Event.UNCONFIRMED if self.reason in _PAGES_ARRIVED else Event.FAILED

    @property
    def state(self) -> State:
        """The final state that the event leads to, from any live state."""
        return State.DELIVERED_UNCONFIRMED if self.event is Event.UNCONFIRMED else State.FAILED


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenHold:
    """Sending stops for the scope. The job waits and its counters stay."""

    scope: Scope
    category: Category
    cause: str
    #: seconds to the first probe and between probes, the last repeats; empty: until someone releases the hold
    probes_s: tuple[float, ...]
    #: when this job is looked at again
    at_ms: int
    counters: FailureCounters
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LookUp:
    """The fax may exist. ``decide_absent`` says what to do once it is believed not to."""

    first_lookup_ms: int
    why: str


#: what may follow an attempt that has ended for sure
Ending = RetryAt | GiveUp | OpenHold
Decision = Ending | LookUp
