"""The shared pace of an account: one GCRA and an adaptive rate. The oracle of ``store/scripts/pacing.lua``.

Every function takes the state and the time and returns the new state. Times are whole microseconds of the Redis
server, rates are faxes per second. A refusal (429) cuts the rate once per epoch: answers to requests that were
granted before the cut carry the older epoch and change nothing. Then the rate creeps back to the ceiling.
"""

import math
from dataclasses import dataclass, replace

#: how far behind its slot a permit may be granted: evens out pauses between two leases
CATCH_UP_US = 50_000
#: the slowest rate that a cut leads to, faxes per second: one probe in ten seconds
SLOWEST = 0.1
#: no slot is further ahead than this: more than any horizon and the longest interval together
FURTHEST_US = 20_000_000
#: length of the window over which use is measured
WINDOW_US = 10_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    ceiling: float
    rate: float
    #: theoretical arrival time of the next permit
    tat_us: int = 0
    blocked_until_us: int = 0
    epoch: int = 0
    #: when the rate was last cut or raised
    raised_us: int = 0
    #: 429 answers in a row, each in an epoch of its own
    refusals: int = 0
    #: start of the running window of use, permits granted in it, and in the one before
    window_us: int = 0
    granted: int = 0
    granted_before: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapt:
    """How the rate moves (policy): factor of a cut, share of the ceiling of a raise, time between raises."""

    cut: float = 0.5
    raise_share: float = 0.05
    raise_every_us: int = 10_000_000


def reserve(pace: Pace, now_us: int, horizon_us: int, adapt: Adapt) -> tuple[Pace, int | None]:
    """Take one permit. Returns the slot, or None when the next one is further away than the horizon.

    Horizons may differ from caller to caller: what others reserved further ahead is respected.
    """
    if pace.blocked_until_us > now_us:
        return pace, None
    pace = _count_window(_raised(pace, now_us, adapt), now_us)
    interval = math.ceil(1_000_000 / pace.rate)
    tat = pace.tat_us
    if tat > now_us + FURTHEST_US + interval:  # the server's clock was set back
        tat = now_us + interval
    slot = max(tat, now_us - CATCH_UP_US)
    if slot > now_us + horizon_us:
        return replace(pace, tat_us=tat), None
    return replace(pace, tat_us=slot + interval, granted=pace.granted + 1), slot


def _raised(pace: Pace, now_us: int, adapt: Adapt) -> Pace:
    if pace.rate >= pace.ceiling or now_us < pace.raised_us + adapt.raise_every_us:
        return pace
    rate = min(pace.ceiling, pace.rate + adapt.raise_share * pace.ceiling)
    return replace(pace, rate=rate, raised_us=now_us, refusals=0)


def _count_window(pace: Pace, now_us: int) -> Pace:
    elapsed = now_us - pace.window_us
    if 0 <= elapsed < WINDOW_US:
        return pace
    before = pace.granted if WINDOW_US <= elapsed < 2 * WINDOW_US else 0
    return replace(pace, window_us=now_us, granted=0, granted_before=before)


def slow_down(pace: Pace, epoch: int, now_us: int, wait_us: int, adapt: Adapt) -> Pace:
    """A 429 to a request that was granted in ``epoch``. A longer wait is honoured even by an older epoch."""
    blocked = max(pace.blocked_until_us, now_us + wait_us)
    if epoch != pace.epoch:
        return replace(pace, blocked_until_us=blocked)
    return replace(
        pace,
        rate=max(min(SLOWEST, pace.ceiling), pace.rate * adapt.cut),
        blocked_until_us=blocked,
        epoch=pace.epoch + 1,
        raised_us=blocked,
        refusals=pace.refusals + 1,
        tat_us=max(pace.tat_us, blocked),  # slots that were granted before are still used
    )


def with_ceiling(pace: Pace, ceiling: float) -> Pace:
    """The account's limit was changed: an uncut rate follows it at once, a cut one stays cut."""
    rate = ceiling if pace.rate >= pace.ceiling else min(pace.rate, ceiling)
    return replace(pace, ceiling=ceiling, rate=rate)


def used_ratio(pace: Pace, now_us: int) -> float:
    """Permits of the last full window against what the ceiling allows; 0 when nothing was sent for a window."""
    elapsed = now_us - pace.window_us
    if elapsed >= 2 * WINDOW_US:
        return 0.0
    granted = pace.granted if elapsed >= WINDOW_US else pace.granted_before
    return granted / (pace.ceiling * WINDOW_US / 1_000_000)
