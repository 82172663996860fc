"""Events that producers are told of: what happens to batches, to their jobs, and to the account.

The script that makes a change appends its event, so that neither is stored without the other. Each batch numbers its
events from 1, and the account those that concern no single batch.

``thresholds_crossed`` and ``deadline_risk`` decide when a producer is told how a batch is getting on. The scripts do
the same as the former (``prelude/counts.lua``).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum


class EventType(StrEnum):
    """What has happened."""

    STARTED = "batch.started"
    FINISHED = "batch.finished"
    #: a hold of the batch or of one of its documents stops it
    HELD = "batch.held"
    RELEASED = "batch.released"
    THRESHOLD_CROSSED = "batch.threshold_crossed"
    DEADLINE_AT_RISK = "batch.deadline_at_risk"
    #: a job has ended, or news of a later time has changed how; only of batches with ``job_events``
    JOB_FINAL = "job.final"
    #: a hold of the account, the provider, a country or a document stops whatever needs it
    ACCOUNT_HELD = "account.held"
    ACCOUNT_RELEASED = "account.released"


class Measure(StrEnum):
    """What has crossed a threshold."""

    #: share of the jobs that have ended, in percent
    PROGRESS = "progress"
    #: share of failed jobs among those that have ended, in percent
    FAILED = "failed"
    #: number of jobs that are held one by one
    HELD_JOBS = "held_jobs"


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchEvent:
    """An event as it is stored. ``data`` says more, depending on the type."""

    id: str
    type: EventType
    time_ms: int
    #: empty for an event of the account
    batch: str
    sequence: int
    data: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRules:
    """At which shares, in whole percent, a batch tells of its progress and of its failures."""

    progress: tuple[int, ...] = ()
    failed: tuple[int, ...] = ()
    #: jobs that must have ended before the share of failures says anything; once all have ended, any number is enough
    failed_jobs: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Announced:
    """The highest thresholds that were announced, and how many jobs have to have ended for the next look."""

    progress: int = 0
    failed: int = 0
    look_at: int = 0


def first_look(rows: int) -> int:
    """Return how many jobs end between two looks at the thresholds: one in a hundred."""
    return max(1, rows // 100)


def thresholds_crossed(
    rules: EventRules, announced: Announced, *, rows: int, finals: int, failed: int
) -> tuple[Announced, list[tuple[Measure, int]]]:
    """Return what was announced by now, and which thresholds are new: the highest of each measure.

    The end of a batch is no progress: it has an event of its own.
    """
    if finals < min(announced.look_at, rows):
        return announced, []
    crossed: list[tuple[Measure, int]] = []
    progress, failures = announced.progress, announced.failed
    if finals < rows and (highest := _highest(rules.progress, progress, finals * 100 / rows)):
        progress = highest
        crossed.append((Measure.PROGRESS, highest))
    if finals >= min(rules.failed_jobs, rows) and (highest := _highest(rules.failed, failures, failed * 100 / finals)):
        failures = highest
        crossed.append((Measure.FAILED, highest))
    return Announced(progress=progress, failed=failures, look_at=finals + first_look(rows)), crossed


def _highest(thresholds: Iterable[int], announced: int, percent: float) -> int:
    return max((threshold for threshold in thresholds if announced < threshold <= percent), default=0)


def is_power_of_ten(number: int) -> bool:
    """Return whether a number of held jobs is announced: 1, 10, 100 and so on."""
    return number > 0 and str(number).strip("0") == "1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadline:
    """A batch that has a deadline and has not ended. Times are milliseconds since 1970."""

    batch: str
    deadline_ms: int
    #: 0: it has not started
    started_ms: int
    start_at_ms: int
    rows: int
    finals: int
    #: the deadline whose risk was announced; 0: none
    announced_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Risk:
    """Why a deadline is at risk: jobs that have not ended, and when they will have (0: never, as it goes now)."""

    batch: str
    deadline_ms: int
    jobs: int
    expected_ms: int


#: share of the time between start and deadline after which the pace of a batch says something
_EARLY = 0.1


def deadline_risk(deadline: Deadline, now_ms: int, rate: float) -> Risk | None:
    """Return why a deadline is at risk; None if it is not, or if that was announced.

    It is at risk if the rest of the jobs cannot be sent in time at the whole rate of the account, or, after a tenth of
    the time, if jobs end so slowly on the average that the rest will not have ended in time. Nothing is said after the
    deadline: the batch expires.
    """
    left = deadline.rows - deadline.finals
    if left <= 0 or now_ms >= deadline.deadline_ms or deadline.announced_ms == deadline.deadline_ms:
        return None
    begin_ms = max(now_ms, 0 if deadline.started_ms else deadline.start_at_ms)
    by_rate_ms = begin_ms + left / rate * 1000 if rate > 0 else 0.0
    if by_rate_ms > deadline.deadline_ms:
        return _risk(deadline, left, by_rate_ms)
    passed_ms = now_ms - deadline.started_ms
    if not deadline.started_ms or passed_ms < _EARLY * (deadline.deadline_ms - deadline.started_ms):
        return None
    by_pace_ms = now_ms + left * passed_ms / deadline.finals if deadline.finals else 0.0
    return _risk(deadline, left, by_pace_ms) if not by_pace_ms or by_pace_ms > deadline.deadline_ms else None


def _risk(deadline: Deadline, left: int, expected_ms: float) -> Risk:
    return Risk(batch=deadline.batch, deadline_ms=deadline.deadline_ms, jobs=left, expected_ms=round(expected_ms))


def risks(deadlines: Sequence[Deadline], now_ms: int, rate: float) -> list[Risk]:
    """Return which of some deadlines are at risk and were not announced."""
    return [risk for deadline in deadlines if (risk := deadline_risk(deadline, now_ms, rate))]
