"""The time formats of list queries."""

from datetime import UTC, datetime

import pytest

from dispatcher.emulator import timestamps


def ms(*parts: int) -> int:
    return int(datetime(*parts, tzinfo=UTC).timestamp()) * 1000  # type: ignore[arg-type,misc]


@pytest.mark.parametrize(
    ("text", "first", "end"),
    [
        ("2026", ms(2026, 1, 1), ms(2027, 1, 1)),
        ("2026-12", ms(2026, 12, 1), ms(2027, 1, 1)),
        ("2026-02", ms(2026, 2, 1), ms(2026, 3, 1)),
        ("2026-02-28", ms(2026, 2, 28), ms(2026, 3, 1)),
        ("2026-02-01T10:00:00Z", ms(2026, 2, 1, 10), ms(2026, 2, 1, 10, 0, 1)),
        ("2026-02-01T10:00:00.75Z", ms(2026, 2, 1, 10), ms(2026, 2, 1, 10, 0, 1)),
        ("2026-02-01T10:00:00 02:00", ms(2026, 2, 1, 8), ms(2026, 2, 1, 8, 0, 1)),
        ("2026-02-01T10:00:00-02:00", ms(2026, 2, 1, 12), ms(2026, 2, 1, 12, 0, 1)),
        ("2026-02-01T10:00", ms(2026, 2, 1, 10), ms(2026, 2, 1, 10, 0, 1)),
    ],
)
def test_a_value_covers_a_year_a_month_a_day_or_a_second(text: str, first: int, end: int) -> None:
    assert timestamps.span(text) == (first, end)


@pytest.mark.parametrize("text", ["", "yesterday", "=2026-01-01", "26-01-01", "2026-13", "2026-02-30", "0000"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(timestamps.InvalidTimeError):
        timestamps.span(text)


def test_a_moment_alone_reaches_to_the_end_of_its_day() -> None:
    assert timestamps.rest_of_day("2026-02-01T10:00:00Z") == (ms(2026, 2, 1, 10), ms(2026, 2, 2))
    assert timestamps.rest_of_day("2026-02") == (ms(2026, 2, 1), ms(2026, 3, 1))
