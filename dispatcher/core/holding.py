"""When the breaker of the provider opens, when a hold is probed, and what ends it.

Pure; the oracle of ``store/scripts/holding.lua`` and of what ``settle.lua`` counts. From the retry policy: half of
twenty sends open the breaker, and one job at a time finds out whether it may close.
"""

from collections.abc import Iterable, Sequence

from dispatcher.core.outcome import Accepted, NotSent, RateLimited, Refused, SendOutcome, Unclear

#: a clock that runs back by less than this was not set
STEP_MS = 2_000
#: scopes of holds that stop all sending; a probe of one may end it
ACCOUNT, PROVIDER = "account", "provider"


def is_providers_failure(outcome: SendOutcome) -> bool:
    """No connection, no answer, or a 5xx. A refusal of any kind is an answer of a provider that works."""
    match outcome:
        case NotSent():
            return True
        case Unclear(status=status):
            return status is None or status == 408 or status >= 500
    return False


def recent_failures(failures: Iterable[int], sends: int, window: int) -> tuple[int, ...]:
    """The failures among the last ``window`` sends. Each is known by the number of sends made when it was counted."""
    return tuple(at for at in failures if at > sends - window)


def next_probe_ms(series_ms: Sequence[int], probes: int, sent_ms: int, sending_ms: int) -> int:
    """When the next probe may go, after ``probes`` were sent and the last of them at ``sent_ms``.

    The series grows, and its last value repeats. Never before that last one has had its answer or its time-out.
    """
    return sent_ms + max(series_ms[min(probes, len(series_ms) - 1)], sending_ms)


def is_probe_due(probe_at_ms: int, set_ms: int, now_ms: int) -> bool:
    """Whether a probe may go. ``set_ms`` is when its time was set: a clock before that was set back, and then the time
    says nothing. A probe too many does no harm."""
    return probe_at_ms <= now_ms or now_ms + STEP_MS < set_ms


def ended_by(probe: str, outcome: SendOutcome) -> tuple[str, ...]:
    """Scopes of the holds that the answer to a probe ends.

    Any answer but a failure of its own shows that the provider works; only an acceptance shows that the account does.
    A probe of the account passes a held provider too, or the two would wait for each other. Empty: no probe.
    """
    if probe not in (ACCOUNT, PROVIDER):
        return ()
    match outcome:
        case Accepted():
            return (PROVIDER, ACCOUNT) if probe == ACCOUNT else (PROVIDER,)
        case Refused() | RateLimited():
            return (PROVIDER,)
    return ()
