"""The shared pace of an account: one GCRA, an adaptive rate, and allowances of longer times, if there are any.

The oracle of ``store/scripts/pacing.lua``.

Every function takes the state and the time and returns the new state. Times are whole microseconds of the Redis
server, rates are faxes per second. A refusal (429) cuts the rate once per epoch: answers to requests that were
granted before the cut carry the older epoch and change nothing. Then the rate regains what it had on a cubic curve:
quickly at first, slowly where it was refused, quickly again beyond. So a limit that stays lower is met seldom, and one
that is back is used soon. (The shape is that of RFC 9438 for congestion windows.)

What a refusal sets in the future keeps its distance from now when the server's clock is set back.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from dispatcher.core.allowance import MOST_AHEAD_US, Allowance, Period, aged, allowance, counted, free_us, room
from dispatcher.core.waits import RETRY_AFTER_MOST_S

#: how far behind its slot a permit may be granted: evens out pauses between two leases
CATCH_UP_US = 50_000
#: share of the rate that is used. A provider's bucket that fills as fast as it is emptied keeps for ever what one send
#: took from it by leaving late; what is left over fills it again.
USED = 0.99
#: the slowest rate that a cut leads to, faxes per second: one probe in ten seconds
SLOWEST = 0.1
#: how late a slot is that reads may have beyond their share: nobody wanted it, and it is soon lost
LEFT_OVER_US = CATCH_UP_US // 2
#: permits of this time are what reads can save up of their share
READ_BURST_US = 1_000_000
#: no slot is further ahead than this: more than any horizon and the longest interval together
FURTHEST_US = 20_000_000
#: the longest wait after a refusal, and so the furthest end of one
LONGEST_WAIT_US = round(RETRY_AFTER_MOST_S * 1_000_000)
#: length of the window over which use is measured, and slots at the account's limit that it has at the least
WINDOW_US, WINDOW_SLOTS = 10_000_000, 20


@dataclass(frozen=True, slots=True, kw_only=True)
class RateState:
    ceiling: float
    rate: float
    #: theoretical arrival time of the next permit
    tat_us: int = 0
    blocked_until_us: int = 0
    epoch: int = 0
    #: the rate before the last cut, and from when on it is regained
    peak: float = 0.0
    cut_us: int = 0
    #: when the last refusal was heard of; a clock that is before it was set back
    refused_us: int = 0
    #: 429 answers in a row, each in an epoch of its own
    refusals: int = 0
    #: start of the window of the last slot, permits granted for slots in it, and in the one before
    window_us: int = 0
    granted: int = 0
    granted_before: int = 0
    #: after a cut, least distance from the first slot to the second: the first is a probe; 0: it was granted
    probe_gap_us: int = 0
    #: theoretical arrival time of the next permit that is of the reads' own share
    read_tat_us: int = 0
    #: limits of longer times than a second
    allowances: tuple[Allowance, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Adaptation:
    """How the rate moves (policy): factor of a cut, time until it is back where it was cut, and time from the first
    permit after a cut to the second."""

    cut: float = 0.5
    regain_us: int = 10_000_000
    probe_gap_us: int = 1_000_000


def reserve(pace: RateState, now_us: int, horizon_us: int, adapt: Adaptation) -> tuple[RateState, int | None]:
    """Take one permit. Returns the slot, or None when the next one is further away than the horizon.

    Horizons may differ from caller to caller, up to ``MOST_AHEAD_US``: what others reserved further ahead is
    respected.
    """
    pace = bounded_wait(pace, now_us)
    if pace.blocked_until_us > now_us:
        return pace, None
    pace = _raised(pace, now_us, adapt)
    interval = max(interval_us(pace.rate), pace.probe_gap_us)
    pace = _in_time(pace, now_us)
    slot = next_us(pace, now_us)
    if slot > now_us + horizon_us:
        return pace, None
    allowances = tuple(counted(one, slot) for one in pace.allowances)
    return _counted(replace(pace, tat_us=slot + interval, probe_gap_us=0, allowances=allowances), slot), slot


def slots_within(pace: RateState, now_us: int, horizon_us: int) -> int:
    """How many permits there are at the present rate up to the horizon; none while the provider's wait lasts.

    No more work than that is worth leasing.
    """
    pace = bounded_wait(pace, now_us)
    if pace.blocked_until_us > now_us:
        return 0
    pace = _in_time(pace, now_us)
    interval = interval_us(pace.rate)
    first_gap = max(interval, pace.probe_gap_us)
    left_us = now_us + horizon_us - next_us(pace, now_us)
    if left_us < 0:
        return 0
    paced = 1 if left_us < first_gap else 2 + (left_us - first_gap) // interval
    return min([paced, *(room(one, now_us + horizon_us) for one in pace.allowances)])


def reserve_read(
    pace: RateState, now_us: int, horizon_us: int, adapt: Adaptation, share: float
) -> tuple[RateState, int | None]:
    """Take one permit for a read. Returns the slot, or None.

    ``share`` of the rate is the reads' own: for that much they may take slots further ahead than sends, so that no
    number of sends keeps them away. Beyond it they get slots that nobody has taken when their time has come.
    """
    pace = _reads_in_time(pace, now_us, share)
    own = pace.read_tat_us <= now_us
    pace, slot = reserve(pace, now_us, horizon_us if own else -LEFT_OVER_US, adapt)
    if own and slot is not None:
        saved_us = max(pace.read_tat_us, now_us - READ_BURST_US)
        pace = replace(pace, read_tat_us=saved_us + read_interval_us(pace.rate, share))
    return pace, slot


def next_read_us(pace: RateState, now_us: int, share: float) -> int:
    """When a read that got no permit may ask again."""
    if pace.blocked_until_us > now_us:
        return pace.blocked_until_us
    own_us = _reads_in_time(pace, now_us, share).read_tat_us
    slot = next_us(pace, now_us)
    return slot if own_us <= now_us else min(own_us, slot + LEFT_OVER_US)


def read_interval_us(rate: float, share: float) -> int:
    """From one permit of the reads' share to the next."""
    return math.ceil(interval_us(rate) / share)


def _reads_in_time(pace: RateState, now_us: int, share: float) -> RateState:
    """After the clock was set back, or the rate was raised, the next read is no further away than an interval."""
    return replace(pace, read_tat_us=min(pace.read_tat_us, now_us + read_interval_us(pace.rate, share)))


def interval_us(rate: float) -> int:
    """From one slot to the next."""
    return math.ceil(1_000_000 / (rate * USED))


def next_us(pace: RateState, now_us: int) -> int:
    """The earliest slot that there may be."""
    paced_us = max(blocked_until_us(pace, now_us), pace.tat_us, now_us - CATCH_UP_US)
    return max([paced_us, *(free_us(aged(one, now_us - CATCH_UP_US)) for one in pace.allowances)])


def blocked_until_us(pace: RateState, now_us: int) -> int:
    """Until when the provider's wait lasts; in the past when there is none."""
    return bounded_wait(pace, now_us).blocked_until_us


def bounded_wait(pace: RateState, now_us: int) -> RateState:
    """The pace after the server's clock was set back behind the last refusal: what that has put off comes as long from
    now as it would have come from then. No wait is longer than an hour, whatever was stored.
    """
    back_us = max(0, pace.refused_us - now_us)
    latest_us = now_us + LONGEST_WAIT_US
    return replace(
        pace,
        blocked_until_us=min(max(0, pace.blocked_until_us - back_us), latest_us),
        cut_us=min(max(0, pace.cut_us - back_us), latest_us),
        refused_us=pace.refused_us - back_us,
        tat_us=max(0, pace.tat_us - back_us),
    )


def unblock(pace: RateState, now_us: int) -> RateState:
    """An operator ends the provider's wait. Slots that were granted before it are kept clear of."""
    pace = bounded_wait(pace, now_us)
    if pace.blocked_until_us <= now_us:
        return pace
    tat_us = min(pace.tat_us, now_us + max(MOST_AHEAD_US, interval_us(pace.rate)))
    return replace(pace, blocked_until_us=0, cut_us=min(pace.cut_us, now_us), tat_us=tat_us)


def bounded_slot(pace: RateState, now_us: int) -> RateState:
    """After the server's clock was set back, the next slot comes after all that may have been granted ahead."""
    interval = max(interval_us(pace.rate), pace.probe_gap_us)
    return replace(pace, tat_us=now_us + MOST_AHEAD_US) if pace.tat_us > now_us + FURTHEST_US + interval else pace


def _in_time(pace: RateState, now_us: int) -> RateState:
    pace = bounded_slot(pace, now_us)
    return replace(pace, allowances=tuple(aged(one, now_us - CATCH_UP_US) for one in pace.allowances))


def _raised(pace: RateState, now_us: int, adapt: Adaptation) -> RateState:
    if pace.rate >= pace.ceiling or now_us <= pace.cut_us:
        return pace
    way = (now_us - pace.cut_us) / adapt.regain_us - 1.0
    rate = max(pace.rate, min(pace.ceiling, pace.peak * (1.0 + (1.0 - adapt.cut) * (way * way * way))))
    return replace(pace, rate=rate, refusals=0 if rate >= min(pace.peak, pace.ceiling) else pace.refusals)


def _counted(pace: RateState, slot_us: int) -> RateState:
    """One permit more in the window that its slot lies in. Slots follow each other, so a window that has a successor is
    complete."""
    start_us = slot_us - slot_us % window_us(pace)
    if start_us == pace.window_us:
        return replace(pace, granted=pace.granted + 1)
    before = pace.granted if start_us == pace.window_us + window_us(pace) else 0
    return replace(pace, window_us=start_us, granted=1, granted_before=before)


def slow_down(pace: RateState, epoch: int, now_us: int, wait_us: int, adapt: Adaptation) -> RateState:
    """A 429 to a request that was granted in ``epoch``. A longer wait is honoured even by an older epoch."""
    pace = replace(bounded_wait(pace, now_us), refused_us=now_us)
    blocked = max(pace.blocked_until_us, now_us + min(max(wait_us, 0), LONGEST_WAIT_US))
    if epoch != pace.epoch:
        return replace(pace, blocked_until_us=blocked)
    return replace(
        pace,
        rate=max(min(SLOWEST, pace.ceiling), pace.rate * adapt.cut),
        blocked_until_us=blocked,
        epoch=pace.epoch + 1,
        peak=pace.rate,
        cut_us=blocked,
        refusals=pace.refusals + 1,
        probe_gap_us=adapt.probe_gap_us,
        tat_us=max(pace.tat_us, blocked),  # slots that were granted before are still used
    )


def with_ceiling(pace: RateState, ceiling: float) -> RateState:
    """The account's limit was changed: an uncut rate follows it at once, a cut one stays cut."""
    rate = ceiling if pace.rate >= pace.ceiling else min(pace.rate, ceiling)
    return replace(pace, ceiling=ceiling, rate=rate)


def with_allowances(pace: RateState, limits: Mapping[Period, int]) -> RateState:
    """The limits of longer times were changed; what was granted under those that stay is remembered. 0: none."""
    present = {one.period: one for one in pace.allowances}
    allowances = (
        replace(present.get(period, allowance(period, limit)), limit=limit) for period, limit in limits.items() if limit
    )
    return replace(pace, allowances=tuple(allowances))


def window_us(pace: RateState) -> int:
    """Length of the window over which use is measured: longer for an account that may send seldom."""
    return max(WINDOW_US, math.ceil(WINDOW_SLOTS * 1_000_000 / pace.ceiling))


def used_ratio(pace: RateState, now_us: int) -> float:
    """Slots of the last full window against what the ceiling allows, 1.0 at the most; 0 when nothing was sent for a
    window.

    Slots of the running window may all be granted already: they lie ahead, but no further than ``MOST_AHEAD_US``.
    """
    length_us, elapsed = window_us(pace), now_us - pace.window_us
    if not -MOST_AHEAD_US <= elapsed < 2 * length_us:
        return 0.0
    granted = pace.granted if elapsed >= length_us else pace.granted_before
    return min(1.0, granted / (pace.ceiling * length_us / 1_000_000))
