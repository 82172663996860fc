"""The token bucket that limits the request rate."""


class TokenBucket:
    """Holds at most ``burst`` tokens and gains ``rate`` tokens per second.

    Each request takes one token.
    """

    def __init__(self, rate: float, burst: int, now_s: float) -> None:
        self.rate = rate
        self.burst = burst
        self._tokens = float(burst)
        self._updated_s = now_s

    def take(self, now_s: float) -> bool:
        """Take a token and return True, or return False if the bucket is empty.

        ``now_s`` is a monotonic time.
        """
        self._tokens = min(self.burst, self._tokens + (now_s - self._updated_s) * self.rate)
        self._updated_s = now_s
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True


def make_bucket(rate: float | None, burst: int | None, now_s: float) -> TokenBucket | None:
    """Create the bucket for a rate.

    Without a rate there is no bucket; ``burst`` defaults to one second of the rate.
    """
    if rate is None:
        return None
    return TokenBucket(rate, burst if burst is not None else max(1, round(rate)), now_s)
