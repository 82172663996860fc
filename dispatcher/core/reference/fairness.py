"""Reference implementation of the choices in ``claim.lua``: which batch is served next, and with which of its jobs.

Batches of one class share by stride scheduling: each job served moves the virtual time of its batch on by ``STRIDE``
over the batch's weight, and the batch with the lowest virtual time is next. Within a batch the first sends come before
the retries, which keep a floor; between the classes urgent comes first and bulk keeps a floor of its own. A floor is a
credit that grows with every job served and is spent in whole jobs.
"""

from dispatcher.core.limits.shares import STRIDE


def advance(virtual_time: float, served: int, weight: int) -> float:
    """Return the virtual time of a batch after ``served`` more jobs."""
    return virtual_time + served * STRIDE / weight


def join(virtual_time: float, min_active: float | None) -> float:
    """Return the virtual time of a batch that becomes active: never behind the others, or it would make them wait."""
    return virtual_time if min_active is None else max(virtual_time, min_active)


def split(room: int, fresh: int, due: int, credit: float, floor: float) -> tuple[int, int, float]:
    """Return how many of ``room`` jobs are first sends and how many are retries, and the credit that is left.

    No credit is gathered while there is nothing to choose between (no fresh rows, or nothing due).
    """
    if not fresh or not due:
        taken = min(room, fresh or due)
        return (taken, 0, 0.0) if fresh else (0, taken, 0.0)
    credit += room * floor
    retries = min(due, int(credit), room)
    first = min(fresh, room - retries)
    more = min(due - retries, room - retries - first)
    return first, retries + more, max(0.0, credit - retries)
