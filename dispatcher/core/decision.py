"""The words of a retry decision: what is known of a job, and the closed set of what may be done with it.

Each decision carries ``why``: one sentence for people.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from dispatcher.core.job import State
from dispatcher.core.rule import Category, Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureHistory:
    """What happened to a job before the failure that is decided on."""

    #: failures so far by category
    failures: Mapping[str, int] = field(default_factory=dict)
    dials: int = 0
    tries: int = 0
    server_errors: int = 0
    #: the most pages that any attempt sent
    best_pages: int = 0
    #: the number took a fax within the memory of numbers
    proven: bool = False
    #: the failed attempt was in FINE already
    already_fine: bool = False
    #: look-ups or read-backs of the present attempt that brought no news
    looks: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptCounters:
    """The job's counters after the failure."""

    dials: int
    tries: int
    server_errors: int


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


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryAt:
    at_ms: int
    counters: AttemptCounters
    force_fine: bool
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GiveUp:
    state: Literal[State.FAILED, State.DELIVERED_UNCONFIRMED]
    counters: AttemptCounters
    reason: GiveUpReason
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenHold:
    """Sending stops for the scope. The job waits and its counters stay."""

    scope: Scope
    category: Category
    cause: str
    #: seconds to the first probe and between probes, the last repeats; none: someone has to release the hold
    probes_s: tuple[float, ...]
    #: when this job may be looked at again
    at_ms: int
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LookUp:
    """The fax may exist. ``decide_absent`` says what to do once it is believed not to."""

    first_look_ms: int
    why: str


#: what may follow an attempt that has ended for sure
Ending = RetryAt | GiveUp | OpenHold
Decision = Ending | LookUp
