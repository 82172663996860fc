"""From a delay of the table to a point in time: factor, jitter, and the calendar of named times."""

from datetime import datetime, time, timedelta

from dispatcher.core.durations import duration_text
from dispatcher.core.policy.policy import Policy, zone
from dispatcher.core.retry_table.rule import CalendarDelay, Delay

_DAY_S = 86400.0
#: a business morning nearer than this is not "next": the last call was made about then
_REST_S = 4 * 3600.0
#: jobs that wait for the same moment are spread over this time after it
_SPREAD_S = 3600.0


def due_ms(delay: Delay, *, policy: Policy, now_ms: int, chance: float) -> int:
    """Return when the delay ends: with jitter either way, or some time after a named time, never before it."""
    if isinstance(delay, CalendarDelay) and policy.delay_scale == 1:
        at_ms = _named_ms(delay, policy, now_ms) + int(_SPREAD_S * chance * 1000)
        return at_ms if policy.max_delay_s is None else min(at_ms, now_ms + round(policy.max_delay_s * 1000))
    moved = 1 + policy.jitter * (2 * chance - 1)
    return now_ms + round(scaled_s(delay, policy) * moved * 1000)


def scaled_s(delay: Delay, policy: Policy) -> float:
    """Return the delay in seconds with the policy's factor and limit; a named time counts as one day."""
    seconds = (_DAY_S if isinstance(delay, CalendarDelay) else delay) * policy.delay_scale
    return seconds if policy.max_delay_s is None else min(seconds, policy.max_delay_s)


def delay_text(delay: Delay, policy: Policy, min_s: float = 0.0) -> str:
    """Return the delay in words, as this policy has it and no less than ``min_s``."""
    if isinstance(delay, CalendarDelay) and policy.delay_scale == 1:
        max_s = policy.max_delay_s
        return delay.value if max_s is None else f"{delay.value}, in {duration_text(max_s)} at the latest"
    seconds = max(scaled_s(delay, policy), min_s)
    return duration_text(seconds) if seconds else "at once"


def _named_ms(named: CalendarDelay, policy: Policy, now_ms: int) -> int:
    if named is CalendarDelay.NEXT_DAY:
        return now_ms + round(_DAY_S * 1000)
    return _next_morning_ms(policy, now_ms)


def _next_morning_ms(policy: Policy, now_ms: int) -> int:
    where = zone(policy.time_zone)
    earliest_s = now_ms / 1000 + _REST_S
    begins = time.fromisoformat(policy.business_morning)
    day = datetime.fromtimestamp(earliest_s, where).date()
    while True:
        morning_s = datetime.combine(day, begins, where).timestamp()
        if day.weekday() < 5 and morning_s >= earliest_s:
            return round(morning_s * 1000)
        day += timedelta(days=1)
