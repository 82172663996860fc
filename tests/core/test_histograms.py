"""Tests of histograms that are kept as counters."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.core.histograms import HISTOGRAMS, Histogram


@pytest.mark.parametrize("histogram", HISTOGRAMS, ids=lambda histogram: histogram.name)
@given(durations=st.lists(st.floats(-10, 400_000), max_size=20))
def test_buckets_count_the_durations_up_to_their_bounds(histogram: Histogram, durations: list[float]) -> None:
    fields: Counter[str] = Counter()
    for seconds in durations:
        fields.update(histogram.observation(seconds))
    totals = {tuple(name.split("|")): value for name, value in fields.items()}
    bounds = [*map(float, histogram.bounds_s), float("inf")]
    expected = [float(sum(max(0.0, seconds) <= bound for seconds in durations)) for bound in bounds]
    assert [count for _, count in histogram.buckets(totals)] == expected
    assert [float(bound) for bound, _ in histogram.buckets(totals)] == bounds
    assert histogram.sum_s(totals) == pytest.approx(sum(max(0.0, seconds) for seconds in durations), abs=1e-3)
