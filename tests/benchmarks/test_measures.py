"""Tests of the arithmetic that turns measurements into figures."""

import os

import pytest

from benchmarks.dispatch import rate
from benchmarks.pace import max_in_any_window, used_share
from benchmarks.processor import cpu_s, resident_mb
from benchmarks.recovery import cost

EVERY_TENTH_S = [step / 10 for step in range(100)]


def test_a_rate_leaves_out_the_first_wave() -> None:
    waves = [wave * 0.5 for wave in range(11) for _ in range(4)]
    assert rate(waves, in_flight=4) == 8.0


def test_a_limit_that_is_used_to_the_last_is_one() -> None:
    assert used_share(EVERY_TENTH_S, 2.0, 5.0, rate=10) == 1.0


def test_a_limit_is_half_used_when_half_comes() -> None:
    assert used_share(EVERY_TENTH_S[::2], 2.0, 5.0, rate=10) == 0.5


def test_the_maximum_in_any_window_is_found_wherever_it_is() -> None:
    assert max_in_any_window([0.0, 5.0, 5.1, 5.2, 9.0], seconds=1.0) == 3
    assert max_in_any_window([0.0, 1.0, 2.0], seconds=1.0) == 1
    assert max_in_any_window([], seconds=1.0) == 0


def test_our_own_cpu_time_and_memory_are_found() -> None:
    group = os.getpgrp()
    before_s = cpu_s(group)
    sum(range(10_000_000))
    assert cpu_s(group) > before_s
    assert resident_mb(group) > 10


def test_a_fault_that_stops_everything_for_three_seconds_costs_three_seconds_of_the_rate() -> None:
    before = [step / 10 for step in range(100)]
    after = [13 + step / 10 for step in range(100)]
    result = cost([*before, *after], fault_s=10.0, seconds=12.0, rate=10.0)
    assert result.lost_s == pytest.approx(3.0)
    assert result.recovery_s == pytest.approx(3.0, abs=0.11)


def test_a_fault_without_effect_costs_nothing() -> None:
    result = cost([step / 10 for step in range(400)], fault_s=10.0, seconds=20.0, rate=10.0)
    assert (result.lost_s, result.recovery_s) == (0.0, 0.0)


def test_a_rate_that_does_not_come_back_costs_all_the_time() -> None:
    result = cost([step / 10 for step in range(100)], fault_s=10.0, seconds=20.0, rate=10.0)
    assert (result.lost_s, result.recovery_s) == (20.0, 20.0)


def test_a_rate_that_comes_back_while_still_in_flight_sends_are_accepted_counts_from_the_return() -> None:
    """Sends in flight at the time of the fault are still accepted, so the gap begins later."""
    times = [*(step / 10 for step in range(120)), *(15 + step / 10 for step in range(100))]
    result = cost(times, fault_s=10.0, seconds=14.0, rate=10.0)
    assert result.lost_s == pytest.approx(3.0)
    assert result.recovery_s == pytest.approx(5.0, abs=0.11)
