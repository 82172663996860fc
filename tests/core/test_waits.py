"""Polls: never before their delay, never half a delay later than that, and together."""

from hypothesis import given
from hypothesis import strategies as st

from dispatcher.core.policy.policy import Policy
from dispatcher.core.retry.waits import poll_at_ms, poll_delay_s

NOW = st.integers(min_value=1_700_000_000_000, max_value=1_900_000_000_000)


@given(now_ms=NOW, polls=st.integers(min_value=0, max_value=20))
def test_a_poll_comes_after_its_delay_and_at_most_half_a_delay_later(now_ms: int, polls: int) -> None:
    delay_ms = poll_delay_s(polls, Policy()) * 1000
    assert delay_ms <= poll_at_ms(polls, Policy(), now_ms) - now_ms < 1.5 * delay_ms


@given(now_ms=NOW, later_ms=st.integers(min_value=0, max_value=9_999))
def test_faxes_that_were_accepted_soon_after_each_other_share_at_most_two_times(now_ms: int, later_ms: int) -> None:
    times = {poll_at_ms(0, Policy(), now_ms), poll_at_ms(0, Policy(), now_ms + later_ms)}
    assert len(times) <= 2
    assert max(times) - min(times) in (0, 10_000)
