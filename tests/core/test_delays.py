"""From a delay of the table to a point in time."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from dispatcher.core.policy.policy import Policy
from dispatcher.core.retry.delays import delay_text, due_ms
from dispatcher.core.retry_table.rule import CalendarDelay, Delay


def epoch_ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def due(delay: Delay, now: str, policy: Policy, chance: float = 0.0) -> datetime:
    due_at_ms = due_ms(delay, policy=policy, now_ms=epoch_ms(now), chance=chance)
    return datetime.fromtimestamp(due_at_ms / 1000, UTC)


@pytest.mark.parametrize(("chance", "seconds"), [(0.0, 80), (0.5, 100), (0.75, 110)])
def test_jitter_moves_a_delay_either_way(chance: float, seconds: int) -> None:
    """Chance runs from the shortest to the longest wait."""
    assert due_ms(100.0, policy=Policy(), now_ms=0, chance=chance) == seconds * 1000


@pytest.mark.parametrize(
    ("now", "morning"),
    [
        ("2026-03-03T10:00:00+00:00", "2026-03-04T09:00:00+00:00"),
        ("2026-03-03T00:30:00+00:00", "2026-03-03T09:00:00+00:00"),
        ("2026-03-03T08:50:00+00:00", "2026-03-04T09:00:00+00:00"),
        ("2026-03-06T10:00:00+00:00", "2026-03-09T09:00:00+00:00"),
        ("2026-03-07T01:00:00+00:00", "2026-03-09T09:00:00+00:00"),
    ],
)
def test_the_next_business_morning_is_a_weekday_and_some_hours_away(now: str, morning: str) -> None:
    """Weekends are skipped, and a morning that is about to begin is not the next one."""
    assert due(CalendarDelay.NEXT_BUSINESS_MORNING, now, Policy()) == datetime.fromisoformat(morning)


@pytest.mark.parametrize("now", ["2026-03-27T15:00:00+00:00", "2026-10-23T15:00:00+00:00"])
def test_the_business_morning_keeps_its_hour_when_the_clocks_change(now: str) -> None:
    """Over the weekend of a change of clocks, Monday begins at the same local time."""
    policy = Policy(time_zone="Europe/Berlin", business_morning="08:30")
    local = due(CalendarDelay.NEXT_BUSINESS_MORNING, now, policy).astimezone(ZoneInfo("Europe/Berlin"))
    assert (local.weekday(), local.hour, local.minute) == (0, 8, 30)


def test_jobs_that_wait_for_one_moment_are_spread_after_it() -> None:
    """A named time is never met early; chance spreads the jobs over the hour that follows."""
    spread = due(CalendarDelay.NEXT_BUSINESS_MORNING, "2026-03-03T10:00:00+00:00", Policy(), chance=0.5)
    assert spread == datetime(2026, 3, 4, 9, 30, tzinfo=UTC)
    next_day = due(CalendarDelay.NEXT_DAY, "2026-03-03T10:00:00+00:00", Policy(), chance=0.25)
    assert next_day == datetime(2026, 3, 4, 10, 15, tzinfo=UTC)


def test_a_factor_shortens_named_times_too() -> None:
    """With a factor the calendar has no meaning: a named time is a day times the factor."""
    policy = Policy(delay_scale=0.001, jitter=0.0)
    assert due_ms(CalendarDelay.NEXT_BUSINESS_MORNING, policy=policy, now_ms=0, chance=0.9) == 86_400
    assert due_ms(180.0, policy=policy, now_ms=0, chance=0.9) == 180


def test_the_longest_delay_bounds_them_all() -> None:
    """The limit holds after the factor, for seconds and for named times."""
    assert due_ms(7200.0, policy=Policy(max_delay_s=600), now_ms=0, chance=0.5) == 600_000
    assert due_ms(CalendarDelay.NEXT_DAY, policy=Policy(max_delay_s=600), now_ms=0, chance=0.5) == 600_000
    assert (
        due_ms(CalendarDelay.NEXT_DAY, policy=Policy(delay_scale=0.5, max_delay_s=600), now_ms=0, chance=0.5) == 600_000
    )


@pytest.mark.parametrize(
    ("delay", "policy", "min_s", "text"),
    [
        (180.0, Policy(), 0.0, "3 m"),
        (0.0, Policy(), 0.0, "at once"),
        (0.0, Policy(), 60.0, "1 m"),
        (CalendarDelay.NEXT_DAY, Policy(), 60.0, "next day"),
        (CalendarDelay.NEXT_DAY, Policy(max_delay_s=7200), 0.0, "next day, in 2 h at the latest"),
        (CalendarDelay.NEXT_DAY, Policy(delay_scale=0.01, max_delay_s=3), 0.0, "3 s"),
        (180.0, Policy(delay_scale=0.01), 0.0, "1.8 s"),
    ],
)
def test_a_delay_in_words_is_the_one_that_the_policy_makes_of_it(
    delay: Delay, policy: Policy, min_s: float, text: str
) -> None:
    """Factor, limit and least distance show in the words."""
    assert delay_text(delay, policy, min_s) == text
