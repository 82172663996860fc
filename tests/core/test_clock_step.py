"""Noticing that the clock of Redis stepped."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.core.recovery.clock_step import ClockReading, read_clock

WAIT_S = 300.0


class Watch:
    """Somebody who keeps looking."""

    def __init__(self) -> None:
        self.seen: ClockReading | None = None

    def steady(self, server_ms: int, own_s: float) -> bool:
        self.seen = read_clock(self.seen, server_ms, own_s, wait_s=WAIT_S)
        return self.seen.steady


def watch() -> Watch:
    """One that has seen the server at 1,000 s and its own clock at 50 s."""
    watch = Watch()
    assert watch.steady(1_000_000, 50.0)
    return watch


@pytest.mark.parametrize("step_ms", [300_000, -300_000, 2_001, -2_001])
def test_after_a_step_nothing_is_reaped_for_the_time_to_wait(step_ms: int) -> None:
    """In either direction, and from then on the new time counts."""
    stepped = watch()
    assert not stepped.steady(1_001_000 + step_ms, 51.0)
    assert not stepped.steady(1_300_999 + step_ms, 350.999)
    assert stepped.steady(1_301_000 + step_ms, 351.0)


@pytest.mark.parametrize("difference_ms", [-2_000, -500, 0, 500, 2_000])
def test_answers_that_take_their_time_are_no_step(difference_ms: int) -> None:
    assert watch().steady(1_001_000 + difference_ms, 51.0)


def test_a_second_step_begins_the_wait_anew() -> None:
    stepped = watch()
    assert not stepped.steady(1_301_000, 51.0)
    assert not stepped.steady(1_200_000, 250.0)
    assert not stepped.steady(1_499_900, 549.9)
    assert stepped.steady(1_500_000, 550.0)


def test_the_first_reading_has_nothing_to_be_compared_with() -> None:
    assert Watch().steady(0, 12_345.0)


def test_a_machine_that_slept_sees_no_step() -> None:
    """Its clock counts suspended time, as the server's does."""
    assert watch().steady(1_000_000 + 7_200_000, 50.0 + 7_200)


@given(
    st.lists(
        st.tuples(st.floats(0, 600), st.integers(-900, 900), st.sampled_from([0, 0, 0, 0, 300_000, -300_000])),
        max_size=30,
    )
)
def test_reaping_is_suspended_exactly_within_the_time_to_wait_of_a_step(
    readings: list[tuple[float, int, int]],
) -> None:
    """Readings are off by less than a second each; the seconds between them vary."""
    watched = watch()
    own_s, offset_ms, stepped_s = 50.0, 950_000, -1_000.0
    for passed_s, error_ms, step_ms in readings:
        own_s += passed_s
        offset_ms += step_ms
        stepped_s = own_s if step_ms else stepped_s
        steady = watched.steady(round(own_s * 1000) + offset_ms + error_ms, own_s)
        assert steady is (own_s >= stepped_s + WAIT_S)
