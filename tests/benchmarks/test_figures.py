"""Tests of figures and goals, and of their JSON and table."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from benchmarks.figures import Figure, Goal, as_json, medians, number, percentile, rounded
from benchmarks.table import table

FIGURE = Figure(
    bench="accept",
    figure="rows on disk",
    value=61_234.5678,
    unit="rows/s",
    against="dramatiq, one message a row: 1,640 rows/s",
    ratio=37.3381,
    goal=Goal(min_value=50_000),
)


@pytest.mark.parametrize(
    ("goal", "value", "ratio", "met"),
    [
        (Goal(min_value=10), 10.0, 0.0, True),
        (Goal(min_value=10), 9.99, 99.0, False),
        (Goal(max_value=10), 10.0, 99.0, True),
        (Goal(max_value=10), 10.01, 0.0, False),
        (Goal(max_value=0), 0.1, 0.0, False),
        (Goal(min_value=0.85, of="ratio"), 0.0, 0.85, True),
        (Goal(min_value=0.85, of="ratio"), 99.0, 0.84, False),
        (Goal(max_value=1.1, of="ratio"), 99.0, 1.1, True),
    ],
)
def test_a_goal_bounds_the_value_or_the_ratio(goal: Goal, value: float, ratio: float, met: bool) -> None:
    assert replace(FIGURE, value=value, ratio=ratio, goal=goal).met is met


@pytest.mark.parametrize("bounds", [{}, {"min_value": 1.0, "max_value": 2.0}])
def test_a_goal_has_exactly_one_bound(bounds: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="either"):
        Goal(**bounds)  # type: ignore[arg-type]  # wrong arguments are what is tested


def test_the_json_of_a_figure_has_the_documented_fields() -> None:
    assert as_json([FIGURE]) == [
        {
            "bench": "accept",
            "figure": "rows on disk",
            "value": 61_230.0,
            "unit": "rows/s",
            "against": "dramatiq, one message a row: 1,640 rows/s",
            "ratio": 37.34,
            "goal": "at least 50,000 rows/s",
            "met": True,
        }
    ]


def test_the_json_leaves_out_figures_without_a_goal_and_can_be_read_back() -> None:
    objects = as_json([FIGURE, replace(FIGURE, goal=None)])
    assert len(objects) == 1
    assert json.loads(json.dumps(objects)) == objects


@pytest.mark.parametrize(
    ("goal", "text"),
    [
        (Goal(max_value=150), "at most 150 rows/s"),
        (Goal(min_value=0.85, of="ratio"), "at least 0.85 times it"),
        (Goal(max_value=0), "at most 0 rows/s"),
    ],
)
def test_a_goal_is_described_in_words(goal: Goal, text: str) -> None:
    assert goal.text("rows/s") == text


def test_the_table_says_of_each_figure_whether_its_goal_is_met() -> None:
    console = Console(width=200)
    with console.capture() as captured:
        console.print(table([FIGURE, replace(FIGURE, value=1.0), replace(FIGURE, goal=None)]))
    rows = captured.get().splitlines()[1:]
    assert [row.split()[-1] for row in rows] == ["yes", "no", "rows/s"]


def test_the_median_of_each_quantity_counts() -> None:
    assert medians([{"a": 1.0, "b": 9.0}, {"a": 5.0, "b": 7.0}, {"a": 2.0, "b": 8.0}]) == {"a": 2.0, "b": 8.0}


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0.01, 1.0))
def test_a_percentile_is_the_smallest_value_that_the_share_does_not_exceed(values: list[float], share: float) -> None:
    result = percentile(values, share)
    assert result in values
    assert sum(value <= result for value in values) >= len(values) * share
    assert sum(value < result for value in values) < len(values) * share


@pytest.mark.parametrize(
    ("value", "text"), [(1234.5, "1,234"), (999_999.0, "999,999"), (56.7, "56.7"), (0.012_344, "0.01234"), (0.0, "0")]
)
def test_numbers_are_written_for_people(value: float, text: str) -> None:
    assert number(value) == text


def test_values_have_four_significant_digits() -> None:
    assert rounded(123_456.0) == 123_500.0
    assert rounded(0.000_123_456) == 0.000_123_5
