"""When a batch tells of its progress, of its failures, and of a deadline that is at risk."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.core.batch_events import (
    Announced,
    Deadline,
    EventRules,
    Measure,
    deadline_risk,
    is_power_of_ten,
    risks,
    thresholds_crossed,
)

RULES = EventRules(progress=(25, 50, 75), failed=(5, 20, 50), failed_jobs=20)
PROGRESS, FAILED = Measure.PROGRESS, Measure.FAILED


@pytest.mark.parametrize(
    ("rows", "finals", "failed", "announced", "crossed"),
    [
        (1000, 249, 0, Announced(), []),
        (1000, 250, 0, Announced(), [(PROGRESS, 25)]),
        (1000, 800, 0, Announced(), [(PROGRESS, 75)]),  # only the highest
        (1000, 300, 0, Announced(progress=25), []),
        (1000, 300, 0, Announced(look_at=310), []),  # nobody looks yet
        (1000, 1000, 0, Announced(progress=75), []),  # the end has an event of its own
        (1000, 19, 19, Announced(), []),  # too few to say anything
        (1000, 20, 1, Announced(), [(FAILED, 5)]),
        (1000, 20, 12, Announced(failed=5), [(FAILED, 50)]),
        (1000, 100, 12, Announced(failed=20), []),
        (3, 3, 3, Announced(look_at=7), [(FAILED, 50)]),  # all have ended, so any number is enough
        (2, 1, 1, Announced(), [(PROGRESS, 50)]),
    ],
)
def test_a_threshold_is_announced_when_it_is_crossed(
    rows: int, finals: int, failed: int, announced: Announced, crossed: list[tuple[Measure, int]]
) -> None:
    assert thresholds_crossed(RULES, announced, rows=rows, finals=finals, failed=failed)[1] == crossed


@given(st.lists(st.booleans(), min_size=1, max_size=400), st.integers(1, 50))
def test_each_threshold_is_announced_once_and_in_rising_order(ends: list[bool], together: int) -> None:
    """Whichever jobs fail, and however many end at a time: and no later than one job in a hundred after it."""
    announced, events = Announced(look_at=1), list[tuple[Measure, int]]()
    for finals in sorted({*range(together, len(ends), together), len(ends)}):
        failed = sum(ends[:finals])
        announced, crossed = thresholds_crossed(RULES, announced, rows=len(ends), finals=finals, failed=failed)
        events += crossed
        late = max(1, len(ends) // 100) + together
        due = [threshold for threshold in RULES.progress if threshold <= (finals - late) * 100 / len(ends)]
        assert finals == len(ends) or announced.progress >= max(due, default=0)
    for measure in Measure:
        thresholds = [threshold for kind, threshold in events if kind is measure]
        assert thresholds == sorted(set(thresholds))


@pytest.mark.parametrize(
    ("number", "is_event"),
    [(0, False), (1, True), (2, False), (10, True), (11, False), (20, False), (100, True), (101, False)],
)
def test_numbers_of_held_jobs_are_announced_by_powers_of_ten(number: int, is_event: bool) -> None:
    assert is_power_of_ten(number) is is_event


HOUR = 3_600_000
DEADLINE = Deadline(batch="b", deadline_ms=11 * HOUR, started_ms=HOUR, start_at_ms=0, rows=10_000, finals=0)


@pytest.mark.parametrize(
    ("change", "now_ms", "rate", "expected_ms"),
    [
        ({}, HOUR, 1.0, None),  # 10,000 s are enough
        ({}, HOUR, 0.2, HOUR + 50_000_000),  # at the whole rate it takes 14 hours
        ({}, HOUR, 0.0, None),  # the rate is not known
        ({}, 2 * HOUR - 1, 1.0, None),  # too early to say
        ({}, 2 * HOUR, 1.0, 0),  # a tenth of the time, and no job has ended
        ({"finals": 999}, 2 * HOUR, 1.0, 2 * HOUR + round(9001 * HOUR / 999)),
        ({"finals": 1001}, 2 * HOUR, 1.0, None),
        ({"finals": 9_999}, 10 * HOUR, 1.0, None),
        ({"finals": 10_000}, 10 * HOUR, 1.0, None),
        ({}, 11 * HOUR, 1.0, None),  # it expires
        ({"announced_ms": 11 * HOUR}, 2 * HOUR, 1.0, None),
        ({"announced_ms": 10 * HOUR}, 2 * HOUR, 1.0, 0),  # of an earlier deadline
        ({"started_ms": 0, "start_at_ms": 10 * HOUR}, HOUR, 1.0, 10 * HOUR + 10_000_000),  # scheduled too late
        ({"started_ms": 0, "start_at_ms": 8 * HOUR}, HOUR, 1.0, None),
    ],
)
def test_a_deadline_is_at_risk_by_rate_and_by_pace(
    change: dict[str, int], now_ms: int, rate: float, expected_ms: int | None
) -> None:
    deadline = replace(DEADLINE, **change)  # type: ignore[arg-type]  # numbers
    risk = deadline_risk(deadline, now_ms, rate)
    assert (risk.expected_ms if risk else None) == expected_ms
    assert risk is None or risk.jobs == deadline.rows - deadline.finals
    assert risks([deadline], now_ms, rate) == ([risk] if risk else [])
