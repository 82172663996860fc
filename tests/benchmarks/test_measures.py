"""The arithmetic between what was seen and a figure."""

import os

from benchmarks.dispatch import rate
from benchmarks.pace import most_in_any, used
from benchmarks.processor import cpu_s, resident_mb

EVERY_TENTH_S = [at / 10 for at in range(100)]


def test_a_rate_leaves_out_the_first_wave() -> None:
    waves = [wave * 0.5 for wave in range(11) for _ in range(4)]
    assert rate(waves, in_flight=4) == 8.0


def test_a_limit_that_is_used_to_the_last_is_one() -> None:
    assert used(EVERY_TENTH_S, 2.0, 5.0, rate=10) == 1.0


def test_a_limit_is_half_used_when_half_comes() -> None:
    assert used(EVERY_TENTH_S[::2], 2.0, 5.0, rate=10) == 0.5


def test_the_most_in_any_stretch_is_found_wherever_it_is() -> None:
    assert most_in_any([0.0, 5.0, 5.1, 5.2, 9.0], seconds=1.0) == 3
    assert most_in_any([0.0, 1.0, 2.0], seconds=1.0) == 1
    assert most_in_any([], seconds=1.0) == 0


def test_our_own_processor_time_and_memory_are_found() -> None:
    group = os.getpgrp()
    before_s = cpu_s(group)
    sum(range(10_000_000))
    assert cpu_s(group) > before_s
    assert resident_mb(group) > 10
