"""The token bucket."""

from hypothesis import given
from hypothesis import strategies as st

from dispatcher.emulator.bucket import TokenBucket, make_bucket


def test_no_rate_is_no_bucket() -> None:
    assert make_bucket(None, 5, 0.0) is None


def test_the_burst_goes_through_at_once_and_then_the_rate_holds() -> None:
    tokens = TokenBucket(2.0, 3, 0.0)
    assert [tokens.take(0.0) for _ in range(4)] == [True, True, True, False]
    assert [tokens.take(0.5), tokens.take(0.5), tokens.take(1.0)] == [True, False, True]


@given(st.floats(0.5, 50), st.integers(1, 20), st.lists(st.floats(0, 0.5), min_size=1, max_size=200))
def test_no_span_of_time_lets_more_through_than_burst_plus_rate(rate: float, burst: int, gaps: list[float]) -> None:
    tokens, now, taken = TokenBucket(rate, burst, 0.0), 0.0, 0
    for gap in gaps:
        now += gap
        taken += tokens.take(now)
    assert taken <= burst + rate * now + 1e-6
