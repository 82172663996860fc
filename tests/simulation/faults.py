"""The classes of faults, and the schedule that says which of them occur in a history, and how often."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random


class Fault(StrEnum):
    """A class of faults. The value is its name in reports, and part of a random seed: changing it changes histories."""

    # processes, network and messages
    WORKER_KILLED = "worker killed"
    SCHEDULER_KILLED = "scheduler killed"
    WEB_KILLED = "web killed"
    PROCESS_STOPPED = "process stopped for a time"
    REDIS_AWAY = "Redis away"
    REDIS_RESTARTED = "Redis restarted"
    REPLY_LOST = "reply of Redis lost"
    CLOCK_STEPPED = "clock of Redis stepped"
    MESSAGE_LOST = "message lost"
    MESSAGE_DOUBLED = "message doubled"
    MESSAGE_LATE = "message late"
    # responses to a POST
    NO_CONNECTION = "no connection"
    SERVER_ERROR = "5xx, not taken"
    SERVER_ERROR_TAKEN = "5xx, taken"
    TIMED_OUT = "no answer"
    SLOW_ANSWER = "slow answer"
    REDIRECTED = "3xx"
    UNREADABLE = "200 with an unreadable body"
    BAD_REQUEST = "400 or 422"
    UNKNOWN_REFUSAL = "unknown 4xx"
    UNAUTHORIZED = "401"
    NO_FUNDS = "402"
    FORBIDDEN = "403"
    NOT_FOUND = "404"
    RATE_LIMITED = "429"
    RETRY_AFTER = "429 or 503 with an extreme Retry-After"
    # results of a fax
    FAX_FAILED = "fax failed with a documented code"
    FAX_FAILED_ODDLY = "fax failed with an undocumented code"
    PAGES_MISSING = "fax failed after some or all pages"
    NEVER_ENDS = "fax never ends"
    ODD_FIELDS = "extreme values in a fax"
    # reads
    READ_FAILS = "read fails"
    READ_SLOW = "read slow"
    LIST_LAGS = "list lags"
    LIST_PAGED = "list in small pages"
    READ_MISSING = "404 for an accepted fax"
    # callbacks
    CALLBACK_LOST = "callback lost"
    CALLBACK_DOUBLED = "callback doubled"
    CALLBACK_LATE = "callback late"
    CALLBACK_EARLY = "callback before the answer"
    CALLBACK_WRONG = "callback with false contents"
    # operators
    BATCH_PAUSED = "batch paused and resumed"
    BATCH_CANCELLED = "batch cancelled"
    HOLD_RELEASED = "hold released by hand"
    RATE_CHANGED = "rate changed"
    ACCOUNT_UNBLOCKED = "account unblocked"


#: None: histories may draw the fault. A text: why they may not yet.
ENABLED_FAULTS: Mapping[Fault, str | None] = dict.fromkeys(Fault)

ENABLED = frozenset(fault for fault, reason in ENABLED_FAULTS.items() if reason is None)

PROCESS_FAULTS = (
    Fault.WORKER_KILLED,
    Fault.SCHEDULER_KILLED,
    Fault.WEB_KILLED,
    Fault.PROCESS_STOPPED,
    Fault.REDIS_AWAY,
    Fault.REDIS_RESTARTED,
    Fault.CLOCK_STEPPED,
)
POST_FAULTS = (
    Fault.NO_CONNECTION,
    Fault.SERVER_ERROR,
    Fault.SERVER_ERROR_TAKEN,
    Fault.TIMED_OUT,
    Fault.SLOW_ANSWER,
    Fault.REDIRECTED,
    Fault.UNREADABLE,
    Fault.BAD_REQUEST,
    Fault.UNKNOWN_REFUSAL,
    Fault.UNAUTHORIZED,
    Fault.NO_FUNDS,
    Fault.FORBIDDEN,
    Fault.NOT_FOUND,
    Fault.RATE_LIMITED,
    Fault.RETRY_AFTER,
)
OPERATOR_FAULTS = (
    Fault.BATCH_PAUSED,
    Fault.BATCH_CANCELLED,
    Fault.HOLD_RELEASED,
    Fault.RATE_CHANGED,
    Fault.ACCOUNT_UNBLOCKED,
)

#: possible shares of responses that meet a fault
_SHARES = (0.01, 0.03, 0.1, 0.3)
#: possible lengths of an episode in seconds
_EPISODE_S = (5.0, 30.0, 120.0, 600.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """A time window in which every POST meets the same fault."""

    fault: Fault
    from_s: float
    to_s: float


@dataclass(slots=True, kw_only=True)
class FaultSchedule:
    """The faults of a history, and how often they occur. ``over`` ends all of them."""

    rng: Random
    faults: frozenset[Fault]
    shares: Mapping[Fault, float]
    episodes: Sequence[Episode]
    #: seconds for which faults occur
    fault_phase_s: float
    over: bool = False
    _posts: tuple[list[Fault], list[float]] = field(init=False)

    def __post_init__(self) -> None:
        drawn = [fault for fault in POST_FAULTS if fault in self.shares]
        self._posts = drawn, [self.shares[fault] for fault in drawn]

    def enabled(self, fault: Fault) -> bool:
        """Return whether the history has the fault, and faults are not over."""
        return not self.over and fault in self.faults

    def occurs(self, fault: Fault) -> bool:
        """Draw whether the fault occurs now."""
        return self.enabled(fault) and self.rng.random() < self.shares.get(fault, 0.0)

    def draw_post_fault(self, now_s: float) -> Fault | None:
        """Draw the fault of a POST at this time; None for none."""
        if self.over:
            return None
        for episode in self.episodes:
            if episode.from_s <= now_s < episode.to_s:
                return episode.fault
        faults, weights = self._posts
        drawn = self.rng.random()
        for fault, weight in zip(faults, weights, strict=True):
            drawn -= weight
            if drawn < 0:
                return fault
        return None


def draw_fault_schedule(seed: int, allowed: frozenset[Fault] = ENABLED, *, fault_phase_s: float) -> FaultSchedule:
    """Draw the schedule of a seed. It has only some classes of faults, because all together would hide each other."""
    rng = Random(f"weather {seed}")
    faults = frozenset(fault for fault in Fault if fault in allowed and rng.random() < 0.4)
    shares = {fault: rng.choice(_SHARES) for fault in Fault if fault in faults}
    return FaultSchedule(
        rng=Random(f"strikes {seed}"),
        faults=faults,
        shares=shares,
        episodes=_episodes(rng, faults, fault_phase_s),
        fault_phase_s=fault_phase_s,
    )


def _episodes(rng: Random, faults: frozenset[Fault], fault_phase_s: float) -> list[Episode]:
    drawn = [fault for fault in POST_FAULTS if fault in faults and rng.random() < 0.3]
    begins = [rng.uniform(0, fault_phase_s) for _ in drawn]
    return [
        Episode(fault=fault, from_s=begin, to_s=begin + rng.choice(_EPISODE_S))
        for fault, begin in zip(drawn, begins, strict=True)
    ]
