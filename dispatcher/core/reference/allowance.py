"""Reference implementation of how ``pacing.lua`` counts the permits of a minute or a day."""

from dataclasses import replace

from dispatcher.core.limits.allowance import BUCKETS, Allowance, Period, moved_to


def new_allowance(period: Period, limit: int) -> Allowance:
    """Return an allowance of which nothing is used."""
    return Allowance(period=period, limit=limit, newest=0, counts=(0,) * (BUCKETS[period][1] + 1))


def counted(allowance: Allowance, slot_us: int) -> Allowance:
    """Count one more permit, for that slot."""
    allowance = moved_to(allowance, slot_us)
    return replace(allowance, counts=(allowance.counts[0] + 1, *allowance.counts[1:]))


def room(allowance: Allowance, time_us: int) -> int:
    """Return how many more permits may be granted for slots at that time."""
    return max(0, allowance.limit - sum(moved_to(allowance, time_us).counts))
