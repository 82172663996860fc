"""Waits that do not follow from a row of the table: look-ups, read-backs, polls, probes and backoffs.

Times are seconds unless the name says milliseconds.
"""

import math
from collections.abc import Sequence

from dispatcher.core.policy.policy import Policy
from dispatcher.core.retry_table.rule import Category

#: the longest wait that a provider's Retry-After can ask for
MAX_RETRY_AFTER_S = 3600.0
#: accepted faxes are asked about together: the longest distance between two such times
_READS_APART_MS = 60_000
#: unclear sends are looked for together: the longest distance between two such times
_LOOKUP_SPACING_S = 30.0


def next_lookup_ms(*, deadline_ms: int, lookups: int, policy: Policy) -> int | None:
    """Return the time of the next look-up after ``lookups`` that found nothing; None after the last one."""
    if lookups >= len(policy.lookups_s):
        return None
    return deadline_ms + round(policy.lookups_s[lookups] * 1000)


def lookup_spacing_ms(lookups: int, policy: Policy) -> int:
    """Return the distance between the times at which unclear sends are looked for, after ``lookups`` look-ups.

    Sends that are looked for at the same time share a list of the provider's. The last look-up lists one number, and
    shares nothing.
    """
    if lookups + 1 >= len(policy.lookups_s):
        return 1
    return max(1, round(min(_LOOKUP_SPACING_S, policy.lookups_s[lookups + 1] - policy.lookups_s[lookups]) * 1000))


def shared_ms(at_ms: int, apart_ms: int) -> int:
    """Return the first of the shared times that is not before ``at_ms``."""
    return -(-at_ms // apart_ms) * apart_ms


def readback_delay_s(readbacks: int, policy: Policy) -> float:
    """Return the wait from a read-back without anything new to the next, after ``readbacks`` of them."""
    return _nth(policy.readback_s, readbacks)


def poll_delay_s(polls: int, policy: Policy) -> float:
    """Return the wait to the next poll, from the acceptance (``polls`` is 0) or from the last poll."""
    return policy.poll_first_s if polls == 0 else _nth(policy.poll_s, polls - 1)


def poll_at_ms(polls: int, policy: Policy, now_ms: int) -> int:
    """Return when a fax is polled for."""
    return read_at_ms(poll_delay_s(polls, policy), now_ms)


def read_at_ms(delay_s: float, now_ms: int) -> int:
    """Return when an accepted fax is asked about: after the delay, rounded up to a grid.

    One list request covers all faxes of a grid time. The grid is half the delay, and at most a minute; a fax waits up
    to that much longer.
    """
    delay_ms = round(delay_s * 1000)
    return shared_ms(now_ms + delay_ms, max(1, min(delay_ms // 2, _READS_APART_MS)))


def probes_s(category: Category, policy: Policy) -> tuple[float, ...]:
    """Return the waits to a hold's first probe, then between probes; the last repeats. Empty: no probe ends it."""
    match category:
        case Category.AUTH:
            return policy.probe_auth_s
        case Category.FUNDS:
            return (policy.probe_funds_s,)
    return ()


def capped_retry_after_s(retry_after_s: float | None) -> float | None:
    """Return the wait that a provider asks for, from 0 to an hour; None if it names no time.

    This is the only place that bounds ``Retry-After``, which may be seconds since 1970, the year 9999 or 1e300 as well.
    """
    if retry_after_s is None or math.isnan(retry_after_s):
        return None
    return min(max(retry_after_s, 0.0), MAX_RETRY_AFTER_S)


def backoff_429(n: int, policy: Policy, chance: float, retry_after_s: float | None = None) -> float:
    """Return the wait after a 429 that follows ``n`` others: what the provider asks for, else full jitter."""
    named_s = capped_retry_after_s(retry_after_s)
    return _full_jitter(policy.backoff_429_s, n, chance) if named_s is None else named_s


def backoff_transport(n: int, policy: Policy, chance: float) -> float:
    """Return the wait after a request that did not leave and follows ``n`` others: full jitter."""
    return _full_jitter(policy.backoff_transport_s, n, chance)


def _full_jitter(base_and_cap: tuple[float, float], n: int, chance: float) -> float:
    base, cap = base_and_cap
    # past 2**30 any base has reached its cap
    return chance * min(cap, base * float(2 ** min(n, 30)))


def _nth(series: Sequence[float], n: int) -> float:
    return series[min(n, len(series) - 1)]
