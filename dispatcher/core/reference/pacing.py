"""Reference implementation of ``pacing.lua``: how permits are granted, and how the rate follows refusals.

Every function takes the state and the time and returns the new state. A refusal (429) cuts the rate once per epoch:
answers to requests that were granted before the cut carry the older epoch and change nothing. Then the rate regains its
former value on a cubic curve: quickly at first, slowly near the value where it was refused, quickly again beyond. So a
limit that stays lower is met seldom, and one that is back is used soon. (The shape is that of RFC 9438 for congestion
windows.)

Whatever a refusal sets in the future keeps its distance from now when the server's clock is set back.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from dispatcher.core.limits.allowance import MAX_AHEAD_US, Period, advanced_to_now
from dispatcher.core.limits.rate import (
    CATCH_UP_US,
    FURTHEST_US,
    LEFT_OVER_US,
    LONGEST_WAIT_US,
    READ_BURST_US,
    SLOWEST,
    RateState,
    bounded_wait,
    interval_us,
    next_us,
    window_us,
)
from dispatcher.core.reference.allowance import counted, new_allowance, room


@dataclass(frozen=True, slots=True, kw_only=True)
class Adaptation:
    """How the rate moves, from the policy."""

    #: factor of a cut
    cut: float = 0.5
    #: time until the rate is back where it was cut
    regain_us: int = 10_000_000
    #: time from the first permit after a cut to the second
    probe_gap_us: int = 1_000_000


def reserve(state: RateState, now_us: int, horizon_us: int, adapt: Adaptation) -> tuple[RateState, int | None]:
    """Take one permit. Returns the slot, or None if the next one is further away than the horizon.

    Callers may have different horizons, up to ``MAX_AHEAD_US``: slots reserved further ahead are respected.
    """
    state = bounded_wait(state, now_us)
    if state.blocked_until_us > now_us:
        return state, None
    state = _raised(state, now_us, adapt)
    interval = max(interval_us(state.rate), state.probe_gap_us)
    state = _in_time(state, now_us)
    slot = next_us(state, now_us)
    if slot > now_us + horizon_us:
        return state, None
    allowances = tuple(counted(allowance, slot) for allowance in state.allowances)
    return _counted(replace(state, tat_us=slot + interval, probe_gap_us=0, allowances=allowances), slot), slot


def slots_within(state: RateState, now_us: int, horizon_us: int) -> int:
    """Return the number of permits at the present rate up to the horizon; 0 while the provider's wait lasts.

    No more jobs than that are worth leasing.
    """
    state = bounded_wait(state, now_us)
    if state.blocked_until_us > now_us:
        return 0
    state = _in_time(state, now_us)
    interval = interval_us(state.rate)
    first_gap = max(interval, state.probe_gap_us)
    left_us = now_us + horizon_us - next_us(state, now_us)
    if left_us < 0:
        return 0
    paced = 1 if left_us < first_gap else 2 + (left_us - first_gap) // interval
    return min([paced, *(room(allowance, now_us + horizon_us) for allowance in state.allowances)])


def reserve_read(
    state: RateState, now_us: int, horizon_us: int, adapt: Adaptation, share: float
) -> tuple[RateState, int | None]:
    """Take one permit for a read. Returns the slot, or None.

    ``share`` of the rate is reserved for reads: within it they may take slots further ahead than sends, so that no
    number of sends keeps them away. Beyond it they get slots that nothing has taken when their time has come.
    """
    state = _reads_in_time(state, now_us, share)
    own = state.read_tat_us <= now_us
    state, slot = reserve(state, now_us, horizon_us if own else -LEFT_OVER_US, adapt)
    if own and slot is not None:
        saved_us = max(state.read_tat_us, now_us - READ_BURST_US)
        state = replace(state, read_tat_us=saved_us + read_interval_us(state.rate, share))
    return state, slot


def next_read_us(state: RateState, now_us: int, share: float) -> int:
    """Return when a read that got no permit may ask again."""
    if state.blocked_until_us > now_us:
        return state.blocked_until_us
    own_us = _reads_in_time(state, now_us, share).read_tat_us
    slot = next_us(state, now_us)
    return slot if own_us <= now_us else min(own_us, slot + LEFT_OVER_US)


def read_interval_us(rate: float, share: float) -> int:
    """Return the time from one permit of the reads' share to the next."""
    return math.ceil(interval_us(rate) / share)


def slow_down(state: RateState, epoch: int, now_us: int, wait_us: int, adapt: Adaptation) -> RateState:
    """Apply a 429 to a request that was granted in ``epoch``. A longer wait counts even from an older epoch."""
    state = replace(bounded_wait(state, now_us), refused_us=now_us)
    blocked = max(state.blocked_until_us, now_us + min(max(wait_us, 0), LONGEST_WAIT_US))
    if epoch != state.epoch:
        return replace(state, blocked_until_us=blocked)
    return replace(
        state,
        rate=max(min(SLOWEST, state.ceiling), state.rate * adapt.cut),
        blocked_until_us=blocked,
        epoch=state.epoch + 1,
        peak=state.rate,
        cut_us=blocked,
        refusals=state.refusals + 1,
        probe_gap_us=adapt.probe_gap_us,
        tat_us=max(state.tat_us, blocked),  # slots that were granted before are still used
    )


def unblock(state: RateState, now_us: int) -> RateState:
    """End the provider's wait, as an operator asks. Slots that were granted before it stay free of others."""
    state = bounded_wait(state, now_us)
    if state.blocked_until_us <= now_us:
        return state
    tat_us = min(state.tat_us, now_us + max(MAX_AHEAD_US, interval_us(state.rate)))
    return replace(state, blocked_until_us=0, cut_us=min(state.cut_us, now_us), tat_us=tat_us)


def with_ceiling(state: RateState, ceiling: float) -> RateState:
    """Change the account's limit: an uncut rate follows it at once, a cut one stays cut."""
    rate = ceiling if state.rate >= state.ceiling else min(state.rate, ceiling)
    return replace(state, ceiling=ceiling, rate=rate)


def with_allowances(state: RateState, limits: Mapping[Period, int]) -> RateState:
    """Change the limits of longer periods; permits granted under those that stay are remembered. 0: no limit."""
    present = {allowance.period: allowance for allowance in state.allowances}
    allowances = (
        replace(present.get(period, new_allowance(period, limit)), limit=limit)
        for period, limit in limits.items()
        if limit
    )
    return replace(state, allowances=tuple(allowances))


def bounded_slot(state: RateState, now_us: int) -> RateState:
    """After the server's clock was set back, put the next slot after all that may have been granted ahead."""
    interval = max(interval_us(state.rate), state.probe_gap_us)
    return replace(state, tat_us=now_us + MAX_AHEAD_US) if state.tat_us > now_us + FURTHEST_US + interval else state


def _reads_in_time(state: RateState, now_us: int, share: float) -> RateState:
    """After the clock was set back, or the rate was raised, the next read is no further away than an interval."""
    return replace(state, read_tat_us=min(state.read_tat_us, now_us + read_interval_us(state.rate, share)))


def _in_time(state: RateState, now_us: int) -> RateState:
    state = bounded_slot(state, now_us)
    allowances = tuple(advanced_to_now(allowance, now_us - CATCH_UP_US) for allowance in state.allowances)
    return replace(state, allowances=allowances)


def _raised(state: RateState, now_us: int, adapt: Adaptation) -> RateState:
    if state.rate >= state.ceiling or now_us <= state.cut_us:
        return state
    way = (now_us - state.cut_us) / adapt.regain_us - 1.0
    rate = max(state.rate, min(state.ceiling, state.peak * (1.0 + (1.0 - adapt.cut) * (way * way * way))))
    return replace(state, rate=rate, refusals=0 if rate >= min(state.peak, state.ceiling) else state.refusals)


def _counted(state: RateState, slot_us: int) -> RateState:
    """Count one more permit in the window of its slot. Slots follow each other, so only the last window can grow."""
    start_us = slot_us - slot_us % window_us(state)
    if start_us == state.window_us:
        return replace(state, granted=state.granted + 1)
    before = state.granted if start_us == state.window_us + window_us(state) else 0
    return replace(state, window_us=start_us, granted=1, granted_before=before)
