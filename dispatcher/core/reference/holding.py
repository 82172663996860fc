"""Reference implementation of how the scripts open the provider's breaker, and how they probe and end holds.

The scripts are the prelude of holds and ``settle.lua``. From the retry policy: half of twenty sends open the breaker,
and so do a few in a row when no other send was answered for some time, because mailings are small too. One job at a
time finds out whether it may close.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from dispatcher.core.limits.holds import LISTS_FAIL, PROBES_KEPT, PROVIDER, STEP_MS


@dataclass(frozen=True, slots=True)
class Answered:
    """The last usable answer to a send: when it came (milliseconds since 1970, 0 for never), and the sends by then."""

    at_ms: int = 0
    sends: int = 0


def recent_failures(failures: Iterable[int], sends: int, window: int) -> tuple[int, ...]:
    """Return the failures within the last ``window`` sends. A failure is given as the number of sends made by then."""
    return tuple(counted for counted in failures if counted > sends - window)


def is_down(failed: Mapping[str, int], answered: Answered, now_ms: int, quiet_ms: int, min_failures: int) -> bool:
    """Return whether a short run of failures shows that the provider is down.

    No send was answered for ``quiet_ms``, and since the last answer there were ``min_failures`` failures, or two of the
    same job.

    Args:
        failed: attempts (``<job>/<attempt>``) with the number of sends by then.
        answered: the last usable answer. If it lies in the future, the clock was set back.
    """
    if now_ms - quiet_ms < answered.at_ms <= now_ms:
        return False
    failures_by_job = Counter(attempt.partition("/")[0] for attempt, sends in failed.items() if sends > answered.sends)
    return failures_by_job.total() >= min_failures or any(failures > 1 for failures in failures_by_job.values())


def next_probe_ms(series_ms: Sequence[int], probes: int, sent_ms: int, sending_ms: int) -> int:
    """Return when the next probe may go, after ``probes`` were sent and the last of them at ``sent_ms``.

    The series grows, and its last value repeats. Never before that last one has had its answer or its time-out.
    """
    return sent_ms + max(series_ms[min(probes, len(series_ms) - 1)], sending_ms)


def is_probe_due(probe_at_ms: int, set_ms: int, now_ms: int, *, only_job: str = "", free_ms: int = 0) -> bool:
    """Return whether a probe may go.

    Args:
        probe_at_ms: the time of the next probe.
        set_ms: when that time was set. If the clock is before it, it was set back, and the time says nothing; an extra
            probe does no harm.
        only_job: the only job that has failed, or empty. Its next probe does not wait for the series, since the fault
            may be the job's own.
        free_ms: no probe is under way from then on.
    """
    return probe_at_ms <= now_ms or now_ms + STEP_MS < set_ms or (bool(only_job) and free_ms <= now_ms)


def only_job_of(failed: Iterable[str]) -> str:
    """Return the job that all these attempts (``<job>/<attempt>``) are of; empty if there are several."""
    jobs = {attempt.partition("/")[0] for attempt in failed}
    return jobs.pop() if len(jobs) == 1 else ""


def run_of_failures(failed_ms: Mapping[str, int], now_ms: int, within_ms: int, hold_after: int) -> dict[str, int]:
    """Return the failures since a scope's last success that may hold it: the latest ``hold_after``, none too old."""
    recent = sorted((time_ms, name) for name, time_ms in failed_ms.items() if time_ms > now_ms - within_ms)
    return {name: time_ms for time_ms, name in recent[-hold_after:]}


def is_ended_by(scope: str, category: str, disproved: Collection[str]) -> bool:
    """Return whether these disproved causes end the hold.

    An answered send does not prove that the provider's list of faxes can be read: a LISTS_FAIL hold ends only when the
    list is read.
    """
    return (scope if scope == PROVIDER and category != LISTS_FAIL else category) in disproved


def probes_kept(sent: Sequence[str], probe: str) -> tuple[str, ...]:
    """Return the probes whose outcome may end a hold, after one more was sent. A hold must not remember every one."""
    return (*sent, probe)[-PROBES_KEPT:]
