"""Which slice of the provider's list is read next, after the store has lost writes.

A list may show a fax late, so it proves nothing about the time just before the request: a slice counts as read if its
list was requested a search period after its end.
"""

from dataclasses import dataclass

from dispatcher.core.policy.policy import Policy

#: length of one slice of the list
SLICE_MS = 600_000
#: how far ahead of a begin its slot may lie
_AHEAD_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeSlice:
    """A range of creation times, milliseconds since 1970. A slice that does not count is read again later."""

    from_ms: int
    to_ms: int
    counts: bool


def until_ms(noticed_ms: int, policy: Policy) -> int:
    """Return the last moment at which a send can have left that was begun before the loss was noticed."""
    return noticed_ms + round((_AHEAD_S + policy.send_window_s + policy.post_total_s) * 1000)


def ready_ms(noticed_ms: int, policy: Policy) -> int:
    """Return the earliest time at which the last slice can count."""
    return until_ms(noticed_ms, policy) + round(policy.search_period_s * 1000)


def next_slice(*, since_ms: int, listed_ms: int, noticed_ms: int, now_ms: int, policy: Policy) -> TimeSlice | None:
    """Return the slice after those that were read (up to ``listed_ms``); None if all were read.

    A slice that cannot count yet is read all the same, up to now: what it shows is adopted early.
    """
    from_ms, end_ms = max(since_ms, listed_ms), until_ms(noticed_ms, policy)
    if from_ms >= end_ms:
        return None
    to_ms = min(from_ms + SLICE_MS, end_ms)
    counts = to_ms + round(policy.search_period_s * 1000) <= now_ms
    return TimeSlice(from_ms=from_ms, to_ms=to_ms if counts else max(from_ms, min(now_ms, end_ms)), counts=counts)
