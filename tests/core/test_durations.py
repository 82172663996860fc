"""Durations as people write and read them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.core.durations import duration_text, parse_duration


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        (20, 20.0),
        (0.25, 0.25),
        ("250ms", 0.25),
        ("30s", 30.0),
        ("5m", 300.0),
        ("2h", 7200.0),
        ("1d", 86400.0),
        ("1.5 h", 5400.0),
    ],
)
def test_durations_are_numbers_of_seconds_or_text_with_a_unit(written: object, seconds: float) -> None:
    """Both forms give seconds."""
    assert parse_duration(written) == seconds


@pytest.mark.parametrize("written", ["", "5", "m", "-5m", "5 minutes", "1h30m", True, None, [5]])
def test_anything_else_is_refused_with_examples(written: object) -> None:
    """The error shows the forms that are allowed."""
    with pytest.raises(ValueError, match='write seconds or text such as "30s", "5m", "2h", "1d"'):
        parse_duration(written)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.36, "0.4 s"),
        (45, "45 s"),
        (59.97, "1 m"),
        (180, "3 m"),
        (312.4, "5 m 12 s"),
        (5400, "1 h 30 m"),
        (7200, "2 h"),
        (90_000, "1 d 1 h"),
    ],
)
def test_people_read_two_units_at_most(seconds: float, text: str) -> None:
    """The smaller unit is left out when it is zero."""
    assert duration_text(seconds) == text


@pytest.mark.parametrize(("seconds", "text"), [(45, "45 s"), (75, "1 m"), (5400, "1 h"), (90_000, "1 d")])
def test_a_narrow_column_has_the_largest_unit_only(seconds: float, text: str) -> None:
    """Tables show how old a batch is."""
    assert duration_text(seconds, units=1) == text


@given(st.integers(min_value=1, max_value=59), st.sampled_from("smhd"))
def test_whole_units_are_read_back(number: int, unit: str) -> None:
    """What is written in one unit is shown in it, as far as it is less than the next."""
    seconds = parse_duration(f"{number}{unit}")
    if unit != "h" or number < 24:
        assert duration_text(seconds) == f"{number} {unit}"
