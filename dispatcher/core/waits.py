"""Waits that do not follow from a row of the table: look-ups, read-backs, polls, probes and backoffs.

Times are seconds unless the name says milliseconds.
"""

import math
from collections.abc import Sequence

from dispatcher.core.policy import Policy
from dispatcher.core.rule import Category

#: the longest wait that a provider's Retry-After is believed for
RETRY_AFTER_MOST_S = 3600.0
#: accepted faxes are asked about together, so far apart at most
_READS_APART_MS = 60_000
#: unclear sends are looked for together, so far apart at most
_LOOKS_APART_S = 30.0


def next_look_ms(*, deadline_ms: int, looks: int, policy: Policy) -> int | None:
    """The next look for an unclear send after so many that found nothing; None when it has settled."""
    if looks >= len(policy.looks_s):
        return None
    return deadline_ms + round(policy.looks_s[looks] * 1000)


def look_apart_ms(looks: int, policy: Policy) -> int:
    """How far apart the times lie at which unclear sends are looked for after so many looks: those of one time share a
    list of the provider's. The last look is for one number each, and shares nothing."""
    if looks + 1 >= len(policy.looks_s):
        return 1
    return max(1, round(min(_LOOKS_APART_S, policy.looks_s[looks + 1] - policy.looks_s[looks]) * 1000))


def shared_ms(at_ms: int, apart_ms: int) -> int:
    """The first of the shared times that is not before ``at_ms``."""
    return -(-at_ms // apart_ms) * apart_ms


def readback_delay_s(readbacks: int, policy: Policy) -> float:
    """From a read-back without news to the next, after so many of them."""
    return _nth(policy.readback_s, readbacks)


def poll_delay_s(polls: int, policy: Policy) -> float:
    """Without callbacks: from the acceptance (``polls`` is 0) or from the last poll to the next."""
    return policy.poll_first_s if polls == 0 else _nth(policy.poll_s, polls - 1)


def poll_at_ms(polls: int, policy: Policy, now_ms: int) -> int:
    """When a fax is polled for."""
    return read_at_ms(poll_delay_s(polls, policy), now_ms)


def read_at_ms(delay_s: float, now_ms: int) -> int:
    """When an accepted fax is asked about: after a delay, at a time that it shares with others, so that one list tells
    of all.

    The times lie half a delay apart, and a minute at most; a fax waits so much longer.
    """
    delay_ms = round(delay_s * 1000)
    return shared_ms(now_ms + delay_ms, max(1, min(delay_ms // 2, _READS_APART_MS)))


def probes_s(category: Category, policy: Policy) -> tuple[float, ...]:
    """From the opening of a hold to its first probe, then between probes; the last repeats. None: by hand only."""
    match category:
        case Category.AUTH:
            return policy.probe_auth_s
        case Category.FUNDS:
            return (policy.probe_funds_s,)
    return ()


def capped_retry_after_s(retry_after_s: float | None) -> float | None:
    """How long a provider that names a time is waited for, from 0 to an hour; None where it names none.

    The only place that bounds ``Retry-After``, which may as well be seconds since 1970, the year 9999 or 1e300.
    """
    if retry_after_s is None or math.isnan(retry_after_s):
        return None
    return min(max(retry_after_s, 0.0), RETRY_AFTER_MOST_S)


def backoff_429(n: int, policy: Policy, chance: float, retry_after_s: float | None = None) -> float:
    """Seconds to wait after a 429 that follows ``n`` others: what the provider names, else full jitter."""
    named_s = capped_retry_after_s(retry_after_s)
    return _full_jitter(policy.backoff_429_s, n, chance) if named_s is None else named_s


def backoff_transport(n: int, policy: Policy, chance: float) -> float:
    """Seconds to wait after a request that did not leave and follows ``n`` others: full jitter."""
    return _full_jitter(policy.backoff_transport_s, n, chance)


def _full_jitter(base_and_cap: tuple[float, float], n: int, chance: float) -> float:
    base, cap = base_and_cap
    # past 2**30 any base has reached its cap
    return chance * min(cap, base * float(2 ** min(n, 30)))


def _nth(series: Sequence[float], n: int) -> float:
    return series[min(n, len(series) - 1)]
