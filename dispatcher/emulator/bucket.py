"""The token bucket behind every 429."""


class TokenBucket:
    """Holds up to `burst` tokens and gains `rate` a second; one request takes one."""

    def __init__(self, rate: float, burst: int, now_s: float) -> None:
        self.rate = rate
        self.burst = burst
        self._tokens = float(burst)
        self._at_s = now_s

    def take(self, now_s: float) -> bool:
        """Take one token if there is one; `now_s` comes from a clock that never goes back."""
        self._tokens = min(self.burst, self._tokens + (now_s - self._at_s) * self.rate)
        self._at_s = now_s
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True


def bucket(rate: float | None, burst: int | None, now_s: float) -> TokenBucket | None:
    """Make the bucket for a rate; None (no limit) stays None, and `burst` defaults to one second."""
    if rate is None:
        return None
    return TokenBucket(rate, burst if burst is not None else max(1, round(rate)), now_s)
