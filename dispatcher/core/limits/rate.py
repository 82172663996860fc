"""The shared rate of an account: its state as Redis keeps it, and what is read from that.

One GCRA (a leaky bucket that keeps the time of the next permit), an adaptive rate, and allowances of longer periods, if
there are any. ``pacing.lua`` changes the state; ``dispatcher/core/reference/pacing.py`` does the same in Python and
says how. Times are whole microseconds of the Redis server, rates are faxes per second.
"""

import math
from dataclasses import dataclass, replace

from dispatcher.core.limits.allowance import MAX_AHEAD_US, Allowance, advanced_to_now, next_free_slot_us
from dispatcher.core.retry.waits import MAX_RETRY_AFTER_S

#: how far behind its slot a permit may be granted: evens out pauses between two leases
CATCH_UP_US = 50_000
#: share of the rate that is used. A provider's bucket that fills as fast as it is emptied never recovers what one late
#: send took from it; the unused share fills it again.
USED = 0.99
#: the slowest rate that a cut leads to, faxes per second: one probe in ten seconds
SLOWEST = 0.1
#: how late a slot is that reads may have beyond their share: no send took it, and it is soon lost
LEFT_OVER_US = CATCH_UP_US // 2
#: reads can save up their share of the permits of this time
READ_BURST_US = 1_000_000
#: no slot is further ahead than this: more than any horizon and the longest interval together
FURTHEST_US = 20_000_000
#: the longest wait after a refusal
LONGEST_WAIT_US = round(MAX_RETRY_AFTER_S * 1_000_000)
#: minimum length of the window over which use is measured, and its minimum number of slots at the account's limit
WINDOW_US, WINDOW_SLOTS = 10_000_000, 20


@dataclass(frozen=True, slots=True, kw_only=True)
class RateState:
    """The state of the account's rate limiter."""

    #: the account's limit
    ceiling: float
    #: the rate in use: the ceiling, or less after a refusal
    rate: float
    #: theoretical arrival time of the next permit
    tat_us: int = 0
    #: the provider asked to wait until then
    blocked_until_us: int = 0
    #: number of cuts so far; a refusal counts only if its request was granted in the present epoch
    epoch: int = 0
    #: the rate before the last cut, and from when on it is regained
    peak: float = 0.0
    cut_us: int = 0
    #: when the last refusal came; if the clock is before it, the clock was set back
    refused_us: int = 0
    #: 429 answers in a row, each in an epoch of its own
    refusals: int = 0
    #: start of the window of the last slot, permits granted for slots in it, and in the window before
    window_us: int = 0
    granted: int = 0
    granted_before: int = 0
    #: after a cut, minimum distance from the first slot to the second: the first is a probe; 0 once it was granted
    probe_gap_us: int = 0
    #: theoretical arrival time of the next permit that is of the reads' own share
    read_tat_us: int = 0
    #: limits of periods longer than a second
    allowances: tuple[Allowance, ...] = ()


def interval_us(rate: float) -> int:
    """Return the time from one slot to the next."""
    return math.ceil(1_000_000 / (rate * USED))


def next_us(state: RateState, now_us: int) -> int:
    """Return the earliest slot for which a permit may be granted."""
    paced_us = max(blocked_until_us(state, now_us), state.tat_us, now_us - CATCH_UP_US)
    return max(
        [
            paced_us,
            *(next_free_slot_us(advanced_to_now(allowance, now_us - CATCH_UP_US)) for allowance in state.allowances),
        ]
    )


def blocked_until_us(state: RateState, now_us: int) -> int:
    """Return the end of the wait that the provider asked for; it is in the past if there is no wait."""
    return bounded_wait(state, now_us).blocked_until_us


def bounded_wait(state: RateState, now_us: int) -> RateState:
    """Correct the state if the server's clock was set back to before the last refusal.

    What the refusal put off keeps its distance from now, also the next slot, but not what was sent since: as after any
    other step, only slots that may have been granted ahead are kept clear of. No wait is longer than an hour, whatever
    was stored.
    """
    back_us = max(0, state.refused_us - now_us)
    latest_us = now_us + LONGEST_WAIT_US
    blocked_us = min(max(0, state.blocked_until_us - back_us), latest_us)
    tat_us = state.tat_us
    if back_us:
        interval = interval_us(state.rate) if state.rate else 0
        tat_us = max(0, min(tat_us - back_us, blocked_us + max(MAX_AHEAD_US, interval)))
    return replace(
        state,
        blocked_until_us=blocked_us,
        cut_us=min(max(0, state.cut_us - back_us), latest_us),
        refused_us=state.refused_us - back_us,
        tat_us=tat_us,
    )


def window_us(state: RateState) -> int:
    """Return the length of the window over which use is measured: longer for an account with a low limit."""
    return max(WINDOW_US, math.ceil(WINDOW_SLOTS * 1_000_000 / state.ceiling))


def used_ratio(state: RateState, now_us: int) -> float:
    """Return the slots of the last full window as a share of what the ceiling allows, from 0 to 1.

    It is 0 if nothing was sent for a window, and without a ceiling. Slots of the running window may all be granted
    already: they lie ahead, but no further than ``MAX_AHEAD_US``.
    """
    if not state.ceiling:
        return 0.0
    length_us, elapsed = window_us(state), now_us - state.window_us
    if not -MAX_AHEAD_US <= elapsed < 2 * length_us:
        return 0.0
    granted = state.granted if elapsed >= length_us else state.granted_before
    return min(1.0, granted / (state.ceiling * length_us / 1_000_000))
