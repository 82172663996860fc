"""How far a batch is, how fast it goes, when it will have ended, and what its waiting jobs wait for. Pure.

An end is named only if the batch would reach it by itself: nothing is held, withheld, paused or absent. It is honest
about retries: it never lies before the last retry that is known, and says when it rests on that.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from dispatcher.core.limits.limited_by import LimitedBy

#: length of a window of time in which jobs that ended are counted
LATELY_MS = 60_000
MINUTE_MS = 60_000
#: less is too short to name a rate (ms)
_SHORTEST_MS = 1_000
#: an end that lies further ahead is not known
_FURTHEST_MS = 366 * 86_400_000

#: what somebody has to end: when the batch ends is not known before
_STOPPED = frozenset(
    {
        LimitedBy.NOT_STARTED,
        LimitedBy.PARTIAL_START,
        LimitedBy.PAUSED,
        LimitedBy.STORE,
        LimitedBy.NO_SCHEDULER,
        LimitedBy.NO_WORKER,
        LimitedBy.REPLICAS,
        LimitedBy.HOLD,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lately:
    """The jobs of a batch that ended in a window of time, and in the one before it (``counts.lua``)."""

    window: int = 0
    jobs: int = 0
    jobs_before: int = 0

    @classmethod
    def parse(cls, text: str) -> "Lately":
        """Read ``<window> <jobs> <jobs before>``; an empty text says that none has ended. Raises ValueError."""
        window, jobs, before = map(int, text.split(" ")) if text else (0, 0, 0)
        return cls(window=window, jobs=jobs, jobs_before=before)

    def rate(self, now_ms: int, started_ms: int) -> float:
        """Return the jobs that ended in a second, over the last minute or since the start if that is shorter."""
        window, into_ms = divmod(now_ms, LATELY_MS)
        this = self.jobs if window == self.window else 0
        before = {window: self.jobs_before, window - 1: self.jobs}.get(self.window, 0)
        # those of the window before are taken as even over that part of it in which the batch ran
        ran_ms = min(max(window * LATELY_MS - started_ms, 0), LATELY_MS)
        share = min(1.0, (LATELY_MS - into_ms) / ran_ms) if ran_ms else 0.0
        jobs = this + before * share
        since_ms = min(max(now_ms - started_ms, _SHORTEST_MS), LATELY_MS)
        return jobs * 1000 / since_ms


class Basis(StrEnum):
    """What the time of the end rests on."""

    #: on how many jobs have ended lately
    RATE = "rate"
    #: on the last retry that is known; if it fails, another one may follow
    RETRIES = "retries"
    #: the deadline comes first, and expires what is left
    DEADLINE = "deadline"


@dataclass(frozen=True, slots=True)
class End:
    """When a batch will have ended, as far as is known (milliseconds since 1970)."""

    at_ms: int
    basis: Basis


@dataclass(frozen=True, slots=True, kw_only=True)
class Remaining:
    """The jobs of a batch that have not ended, and what is known of them. Times are milliseconds since 1970."""

    now_ms: int
    live: int
    #: jobs that wait for a later time, and the latest of these times
    later: int = 0
    last_try_ms: int = 0
    #: jobs that wait until somebody ends a hold of the job or its country, and those that wait for ``continue``
    held: int = 0
    withheld: int = 0
    limited_by: LimitedBy | None = None
    #: jobs that ended in a second lately
    rate: float = 0.0
    #: 0: none
    deadline_ms: int = 0


def end_of(left: Remaining) -> End | None:
    """Return when the batch will have ended; None if it has, or if nobody can say."""
    end = _end(left)
    if end is None or end.at_ms > left.now_ms + _FURTHEST_MS:
        return None
    if 0 < left.deadline_ms < end.at_ms:
        return End(left.deadline_ms, Basis.DEADLINE)
    return end


def _end(left: Remaining) -> End | None:
    if left.live <= 0 or left.held > 0 or left.withheld > 0 or left.limited_by in _STOPPED:
        return None
    moving = left.live - left.later
    retries = End(max(left.last_try_ms, left.now_ms), Basis.RETRIES) if left.later > 0 else None
    if moving <= 0:
        return retries
    if left.rate <= 0:
        # calls under way end before the last retry does; a first attempt that does not begin has no end
        return retries if left.limited_by in (LimitedBy.WAITING_FOR_RETRY, LimitedBy.NUMBER_BUSY) else None
    at_ms = left.now_ms + round(moving / left.rate * 1000)
    return retries if retries and retries.at_ms > at_ms else End(at_ms, Basis.RATE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """What some waiting jobs wait for: a retry after a failure of this category, or the end of a hold."""

    category: str
    jobs: int
    #: those of them that are held one by one until somebody releases them
    held: int = 0
    #: when the first and the last of the others is tried again (ms, to the minute); 0: none is
    next_ms: int = 0
    last_ms: int = 0


def waits_of(
    waiting: Mapping[str, int], due: Iterable[tuple[str, int, int]], *, held_from_ms: int, first_ms: int, last_ms: int
) -> Sequence[Wait]:
    """Return what waiting jobs wait for, most jobs first.

    Args:
        waiting: number of waiting jobs by category of their last failure.
        due: category, minute in which they are due (since 1970), and number of jobs.
        held_from_ms: jobs that are due at this time or later are held.
        first_ms: when the first job of the batch is due, held ones apart; 0 for none.
        last_ms: when the last one is due. Minutes before the first and after the last are of jobs that have gone.
    """
    minutes: dict[str, dict[int, int]] = {}
    for category, minute, jobs in due:
        if jobs > 0:
            minutes.setdefault(category, {})[minute] = jobs
    waits = [
        _wait(category, jobs, minutes.get(category, {}), held_from_ms // MINUTE_MS, (first_ms, last_ms))
        for category, jobs in waiting.items()
        if category and jobs > 0
    ]
    return sorted(waits, key=lambda wait: (-wait.jobs, wait.category))


def _wait(category: str, jobs: int, minutes: Mapping[int, int], held_from: int, ends_ms: tuple[int, int]) -> Wait:
    first_ms, last_ms = ends_ms
    tried = [minute for minute in minutes if first_ms // MINUTE_MS <= minute <= last_ms // MINUTE_MS]
    return Wait(
        category=category,
        jobs=jobs,
        held=min(jobs, sum(count for minute, count in minutes.items() if minute >= held_from)),
        next_ms=max(min(tried) * MINUTE_MS, first_ms) if tried else 0,
        last_ms=min((max(tried) + 1) * MINUTE_MS - 1, last_ms) if tried else 0,
    )
