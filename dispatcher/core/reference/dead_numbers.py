"""Reference implementation of what ``settle`` does with the ends of calls to dead numbers.

The script's part is the prelude of dead numbers.
"""

from collections.abc import Mapping

from dispatcher.core.suppressions import Suppression, SuppressionSource


def recent_calls(dead: Mapping[str, int], calls: int, window: int) -> dict[str, int]:
    """Return the calls to dead numbers among the last ``window`` ended calls. Each has the number of calls by then."""
    return {attempt: counted for attempt, counted in dead.items() if counted > calls - window}


def recent_numbers(called_ms: Mapping[str, int], now_ms: int, within_ms: int) -> dict[str, int]:
    """Return the dead numbers of an area that were called within the time."""
    return {number: time_ms for number, time_ms in called_ms.items() if time_ms > now_ms - within_ms}


def is_suspicious(in_calls: int, in_area: int, figures: Mapping[str, int]) -> bool:
    """Return whether so many numbers are dead that the list or the network is at fault."""
    return in_calls > figures["allowed"] or in_area >= figures["area_numbers"]


def after_proof(before: Suppression | None, number: str, job: str, now_ms: int, life_ms: int) -> Suppression | None:
    """Return the entry that a proof leads to; None if the one before stays as it is.

    A second proof, by another job, counts until somebody edits the entry. What people have entered stays.
    """
    dead = SuppressionSource.DEAD_NUMBER
    if before is not None and before.source is not dead and before.is_active(now_ms):
        return None
    proved = before is not None and before.source is dead
    if before is not None and proved and (before.job == job or not before.expires_ms):
        return None
    expires_ms = 0 if proved else now_ms + life_ms
    return Suppression(number=number, source=dead, job=job, added_ms=now_ms, expires_ms=expires_ms)
