"""How many permits a minute or a day may hold: a sliding count in buckets. The oracle of ``store/scripts/pacing.lua``.

A bucket counts whole as long as any part of it lies in the window, so no window of that length ever holds more permits
than the limit, wherever it begins; and a day's permits may all be used in its first minutes. Times are microseconds.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

#: no permit is granted for a slot further ahead than this
MOST_AHEAD_US = 5_000_000


class Period(StrEnum):
    """The times that an account's limits are given for."""

    SECOND = "second"
    MINUTE = "minute"
    DAY = "day"


#: length of a bucket, and how many make the period; a second has none, since permits are spaced evenly in it
BUCKETS: Mapping[Period, tuple[int, int]] = {Period.MINUTE: (1_000_000, 60), Period.DAY: (900_000_000, 96)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """A limit of a minute or a day, and what was granted of it. Bucket ``n`` begins ``n`` bucket lengths after 1970."""

    period: Period
    limit: int
    newest: int
    #: permits by age of their bucket, the newest first: one bucket more than the period has
    counts: tuple[int, ...]

    @property
    def bucket_us(self) -> int:
        return BUCKETS[self.period][0]


def allowance(period: Period, limit: int) -> Allowance:
    """A new one, of which nothing is used."""
    return Allowance(period=period, limit=limit, newest=0, counts=(0,) * (BUCKETS[period][1] + 1))


def aged(allowance: Allowance, now_us: int) -> Allowance:
    """Forget the buckets that no window from now on touches.

    When the server's clock was set back, the buckets move with it: no permit lies further ahead than
    ``MOST_AHEAD_US``, and two buckets more make up for where in theirs they lie.
    """
    furthest = (now_us + MOST_AHEAD_US) // allowance.bucket_us + 2
    return _moved(replace(allowance, newest=min(allowance.newest, furthest)), now_us)


def counted(one: Allowance, slot_us: int) -> Allowance:
    """One permit more, for that slot."""
    moved = _moved(one, slot_us)
    return replace(moved, counts=(moved.counts[0] + 1, *moved.counts[1:]))


def free_us(one: Allowance) -> int:
    """The first slot that another permit may be for; 0 when any may."""
    used, steps = sum(one.counts), 0
    while used >= one.limit:
        steps += 1
        used -= one.counts[-steps]
    return (one.newest + steps) * one.bucket_us if steps else 0


def room(one: Allowance, at_us: int) -> int:
    """How many permits more there may be for slots at that time."""
    return max(0, one.limit - sum(_moved(one, at_us).counts))


def used(one: Allowance, now_us: int) -> int:
    """Permits of the window that ends now, counted as the limit counts them."""
    return sum(aged(one, now_us).counts)


def _moved(one: Allowance, at_us: int) -> Allowance:
    steps = at_us // one.bucket_us - one.newest
    if steps <= 0:
        return one
    kept = one.counts[: max(0, len(one.counts) - steps)]
    return replace(one, newest=one.newest + steps, counts=(0,) * (len(one.counts) - len(kept)) + kept)
