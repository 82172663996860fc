"""Who is served next. The oracle of the choices in ``store/scripts/claim.lua``.

Batches of one class share by stride scheduling: serving a job moves a batch's virtual time on by ``STRIDE`` over
its weight, and the batch that is furthest behind is next. Within a batch the first pass comes before its retries,
which keep a floor; between the classes urgent comes first and bulk keeps a floor of its own. A floor is a credit
that grows with every job served and is spent in whole jobs.
"""

STRIDE = 1000.0
#: jobs that one batch gets before the next one is looked at
QUANTUM = 8
#: share of claims that bulk batches keep while urgent ones are waiting
BULK_FLOOR = 0.1


def advance(virtual_time: float, served: int, weight: int) -> float:
    return virtual_time + served * STRIDE / weight


def join(virtual_time: float, least_active: float | None) -> float:
    """The virtual time of a batch that becomes active: never behind the others, or it would have them wait."""
    return virtual_time if least_active is None else max(virtual_time, least_active)


def split(room: int, fresh: int, due: int, credit: float, floor: float) -> tuple[int, int, float]:
    """How many of ``room`` jobs are first passes and how many retries, and the credit that is left.

    Without anything to choose between (no fresh rows or nothing due) no credit is gathered.
    """
    if not fresh or not due:
        taken = min(room, fresh or due)
        return (taken, 0, 0.0) if fresh else (0, taken, 0.0)
    credit += room * floor
    retries = min(due, int(credit), room)
    first = min(fresh, room - retries)
    more = min(due - retries, room - retries - first)
    return first, retries + more, max(0.0, credit - retries)
