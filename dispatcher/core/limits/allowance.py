"""How many permits a minute or a day may hold: a sliding count in buckets.

A bucket counts whole as long as any part of it lies in the window, so no window of that length ever holds more permits
than the limit, wherever it begins; and a day's permits may all be used in its first minutes. Times are microseconds.
``pacing.lua`` counts; ``dispatcher/core/reference/allowance.py`` is the same in Python.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

#: no permit is granted for a slot further ahead than this
MAX_AHEAD_US = 5_000_000


class Period(StrEnum):
    """The periods that an account's limits are set for."""

    SECOND = "second"
    MINUTE = "minute"
    DAY = "day"


#: length of a bucket, and how many make the period; a second has none, since permits are spaced evenly in it
BUCKETS: Mapping[Period, tuple[int, int]] = {Period.MINUTE: (1_000_000, 60), Period.DAY: (900_000_000, 96)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """A limit per minute or per day, and the permits granted under it.

    Bucket ``n`` begins ``n`` bucket lengths after 1970.
    """

    period: Period
    limit: int
    #: number of the newest bucket
    newest: int
    #: permits by age of their bucket, the newest first: one bucket more than the period has
    counts: tuple[int, ...]

    @property
    def bucket_us(self) -> int:
        """Length of one bucket."""
        return BUCKETS[self.period][0]


def advanced_to_now(allowance: Allowance, now_us: int) -> Allowance:
    """Return the allowance without the buckets that lie before every window from now on.

    If the server's clock was set back, the buckets move with it: no permit lies further ahead than ``MAX_AHEAD_US``,
    and two more buckets cover the rounding to bucket lengths.
    """
    furthest = (now_us + MAX_AHEAD_US) // allowance.bucket_us + 2
    return moved_to(replace(allowance, newest=min(allowance.newest, furthest)), now_us)


def next_free_slot_us(allowance: Allowance) -> int:
    """Return the first slot for which another permit may be granted; 0 if any slot will do."""
    granted, steps = sum(allowance.counts), 0
    while granted >= allowance.limit:
        steps += 1
        granted -= allowance.counts[-steps]
    return (allowance.newest + steps) * allowance.bucket_us if steps else 0


def used(allowance: Allowance, now_us: int) -> int:
    """Return the permits in the window that ends now, counted as the limit counts them."""
    return sum(advanced_to_now(allowance, now_us).counts)


def moved_to(allowance: Allowance, time_us: int) -> Allowance:
    """Move the window on, so that the bucket of that time is the newest. An earlier time changes nothing."""
    steps = time_us // allowance.bucket_us - allowance.newest
    if steps <= 0:
        return allowance
    kept = allowance.counts[: max(0, len(allowance.counts) - steps)]
    counts = (0,) * (len(allowance.counts) - len(kept)) + kept
    return replace(allowance, newest=allowance.newest + steps, counts=counts)
