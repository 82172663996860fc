"""When the breaker of the provider opens, when a hold is probed, and what ends it.

Pure; the oracle of ``store/scripts/holding.lua`` and of what ``settle.lua`` counts. From the retry policy: half of
twenty sends open the breaker, and so do a few in a row when no other send was answered for some time: mailings are
small too. One job at a time finds out whether it may close.

A hold ends when its own probe ends in anything but the failure that opened it:

==============================================  ========  =====  =====
the probe's outcome                             provider  auth   funds
==============================================  ========  =====  =====
no usable answer                                stays     stays  stays
answer: accepted, rate limited, known refusals  ends      ends   stays
answer: 401                                     ends      stays  ends
answer: 402                                     ends      ends   stays
the fax is found, or ended without a call       stays     ends   stays
the fax failed for want of funds                stays     ends   stays
the fax ended by a call                         stays     ends   ends
==============================================  ========  =====  =====

That a fax exists does not say that sends are answered. A 401 or 402 opens a hold of its own in the other's place.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from dispatcher.core.outcome import NotSent, Refused, SendOutcome, Unclear
from dispatcher.core.retry_table import RULES
from dispatcher.core.rule import Category

#: a clock that runs back by less than this was not set
STEP_MS = 2_000
#: scopes of holds that stop all sending, and that probes may end
ACCOUNT, PROVIDER = "account", "provider"
#: causes for which the account is held and probed
AUTH, FUNDS = Category.AUTH.value, Category.FUNDS.value
#: category of a hold of the provider whose cause is that no list can be read, while attempts are unclear
LISTS_FAIL = Category.SUBMIT_UNKNOWN.value
_OF_ACCOUNT = frozenset({AUTH, FUNDS})
#: what any usable answer to a POST shows to be gone, and what a fax does that is found at the provider
ANSWERED, FOUND = frozenset({PROVIDER, AUTH}), frozenset({AUTH})
#: probes of one hold that are remembered until they end: enough for calls of hours with a probe each quarter of an hour
PROBES_KEPT = 16
#: the refusals that the API has
_REFUSALS = frozenset(status for kind, status in RULES if kind == "http" and 400 <= status < 500)


@dataclass(frozen=True, slots=True)
class Answered:
    """The last usable answer to a send: when it came (milliseconds since 1970, 0 for never), and the sends by then."""

    at_ms: int = 0
    sends: int = 0


def is_providers_failure(outcome: SendOutcome) -> bool:
    """No usable answer: no connection or none at all, a 5xx, a redirect, a page where a fax should be, or a refusal
    that the API does not have. A refusal that it has, of whatever, is an answer of a provider that works."""
    match outcome:
        case NotSent() | Unclear():
            return True
        case Refused(status=status):
            return status not in _REFUSALS
    return False


def recent_failures(failures: Iterable[int], sends: int, window: int) -> tuple[int, ...]:
    """The failures among the last ``window`` sends. Each is known by the number of sends made when it was counted."""
    return tuple(at for at in failures if at > sends - window)


def is_down(failed: Mapping[str, int], answered: Answered, now_ms: int, quiet_ms: int, run: int) -> bool:
    """Whether few failures say that the provider is down, because it has answered nobody for some time.

    They come in a row: too many of them, or two of one job, which was looked for in between. ``failed`` are attempts
    (``<job>/<attempt>``) with the number of sends by then. An answer of a time to come is by a clock that was set back.
    """
    if now_ms - quiet_ms < answered.at_ms <= now_ms:
        return False
    jobs = Counter(attempt.partition("/")[0] for attempt, sends in failed.items() if sends > answered.sends)
    return jobs.total() >= run or any(failures > 1 for failures in jobs.values())


def next_probe_ms(series_ms: Sequence[int], probes: int, sent_ms: int, sending_ms: int) -> int:
    """When the next probe may go, after ``probes`` were sent and the last of them at ``sent_ms``.

    The series grows, and its last value repeats. Never before that last one has had its answer or its time-out.
    """
    return sent_ms + max(series_ms[min(probes, len(series_ms) - 1)], sending_ms)


def is_probe_due(probe_at_ms: int, set_ms: int, now_ms: int, *, only_job: str = "", free_ms: int = 0) -> bool:
    """Whether a probe may go. ``set_ms`` is when its time was set: a clock before that was set back, and then the time
    says nothing. A probe too many does no harm.

    While all failures came from ``only_job``, it may be that job that fails: the next one need not wait for the series
    and goes as soon as no probe is under way, from ``free_ms`` on.
    """
    return probe_at_ms <= now_ms or now_ms + STEP_MS < set_ms or (bool(only_job) and free_ms <= now_ms)


def only_job_of(failed: Iterable[str]) -> str:
    """The job that all these attempts (``<job>/<attempt>``) are of; empty when there are several."""
    jobs = {attempt.partition("/")[0] for attempt in failed}
    return jobs.pop() if len(jobs) == 1 else ""


def run_of_failures(failed_ms: Mapping[str, int], now_ms: int, within_ms: int, hold_after: int) -> dict[str, int]:
    """The failures of a scope since its last success that may hold it: none too old, and no more than are needed."""
    recent = sorted((at, name) for name, at in failed_ms.items() if at > now_ms - within_ms)
    return {name: at for at, name in recent[-hold_after:]}


def is_ended_by(scope: str, category: str, disproved: Collection[str]) -> bool:
    """Whether a hold ends when the outcome of its own probe shows that these causes are gone.

    That sends are answered says nothing of a list that cannot be read: such a hold ends when one is read.
    """
    return (scope if scope == PROVIDER and category != LISTS_FAIL else category) in disproved


def disproved_by_refusal(category: str) -> frozenset[str]:
    """What a refused probe shows: the provider answers, and the account is stopped by this at most.

    A refusal that holds the account itself takes the place of a hold for another cause.
    """
    if category in _OF_ACCOUNT:
        return (ANSWERED | _OF_ACCOUNT) - {category}
    return ANSWERED


def disproved_by_fax(category: str = "", *, called: bool = True) -> frozenset[str]:
    """What the end of a probe's fax shows. Without a call nothing was paid; ``category`` is that of a failure."""
    return _OF_ACCOUNT if called and category != FUNDS else FOUND


def probes_kept(sent: Sequence[str], probe: str) -> tuple[str, ...]:
    """The probes whose outcome may end a hold, after one more was sent. A hold must not remember every one."""
    return (*sent, probe)[-PROBES_KEPT:]
