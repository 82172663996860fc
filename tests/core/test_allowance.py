"""Limits of a minute and a day, on a simulated clock in microseconds."""

from bisect import bisect_left
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher.core.limits.allowance import BUCKETS, MAX_AHEAD_US, Allowance, Period, next_free_slot_us, used
from dispatcher.core.limits.rate import CATCH_UP_US, RateState, next_us
from dispatcher.core.reference.allowance import counted, new_allowance, room
from dispatcher.core.reference.pacing import Adaptation, reserve, slow_down, with_allowances

SECOND = 1_000_000
MINUTE, DAY = 60 * SECOND, 86_400 * SECOND
LENGTH = {Period.MINUTE: MINUTE, Period.DAY: DAY}
#: the beginning of a bucket of both kinds
START = 1_772_532_000_000_000 // 900_000_000 * 900_000_000
ADAPT = Adaptation()
LONGER = (Period.MINUTE, Period.DAY)
PERIODS = st.sampled_from(LONGER)


def limited(rate: float, **limits: int) -> RateState:
    limits_of = {Period(name): limit for name, limit in limits.items()}
    return with_allowances(RateState(ceiling=rate, rate=rate), limits_of)


def drawn(
    pace: RateState, now_us: int, horizon_us: int = SECOND, max_slots: int = 10**9
) -> tuple[RateState, list[int]]:
    """Permits that are to be had at one moment."""
    slots: list[int] = []
    while len(slots) < max_slots:
        pace, slot = reserve(pace, now_us, horizon_us, ADAPT)
        if slot is None:
            break
        slots.append(slot)
    return pace, slots


def max_within(slots: list[int], span_us: int) -> int:
    slots = sorted(slots)
    return max((bisect_left(slots, slot + span_us) - index for index, slot in enumerate(slots)), default=0)


@pytest.mark.parametrize("period", LONGER)
def test_the_buckets_make_up_the_period(period: Period) -> None:
    length_us, number = BUCKETS[period]
    assert length_us * number == LENGTH[period]


def test_a_day_may_be_used_up_in_its_first_seconds() -> None:
    pace, slots = limited(100, day=250), []
    for second in range(4):
        pace, more = drawn(pace, START + second * SECOND)
        slots += more
    assert len(slots) == 250
    assert max(slots) - START < 3 * SECOND


def test_what_was_granted_counts_until_its_bucket_lies_wholly_outside_the_window() -> None:
    pace, slots = drawn(limited(10, minute=3), START + SECOND // 2)
    assert len(slots) == 3
    assert next_us(pace, START + SECOND) == START + MINUTE + SECOND
    pace, early = drawn(pace, START + MINUTE, horizon_us=SECOND // 2)
    assert early == []
    assert drawn(pace, START + MINUTE, horizon_us=SECOND)[1] == [START + MINUTE + SECOND]


def test_a_refused_permit_costs_nothing() -> None:
    pace, _ = drawn(limited(10, minute=3), START)
    again, slot = reserve(pace, START + SECOND, SECOND, ADAPT)
    assert slot is None
    assert (again.tat_us, again.granted) == (pace.tat_us, pace.granted)
    assert used(again.allowances[0], START + SECOND) == 3


def test_the_strictest_of_several_limits_holds() -> None:
    pace, slots = drawn(limited(100, minute=5, day=8), START)
    assert len(slots) == 5
    _, slots = drawn(pace, START + 2 * MINUTE)
    assert len(slots) == 3


@given(PERIODS, st.integers(1, 50), st.lists(st.integers(0, 200 * SECOND), max_size=60), st.integers(0, 300 * SECOND))
def test_room_and_the_next_free_slot_say_the_same(period: Period, limit: int, waits: list[int], ahead_us: int) -> None:
    allowance, at_us = new_allowance(period, limit), START
    for wait_us in waits:
        at_us = max(at_us + wait_us, next_free_slot_us(allowance))
        allowance = counted(allowance, at_us)
    assert (room(allowance, at_us + ahead_us) > 0) is (next_free_slot_us(allowance) <= at_us + ahead_us)
    assert 0 < used(allowance, at_us) <= limit or not waits


MOMENTS = st.lists(
    st.tuples(
        st.integers(0, 2 * MINUTE) | st.integers(0, DAY // 3),
        st.integers(0, MAX_AHEAD_US),
        st.integers(1, 40),
        st.sampled_from(["", "", "", "refused", "back"]),
        st.integers(0, 40 * SECOND) | st.integers(0, 2 * DAY),
    ),
    max_size=25,
)


@given(st.sampled_from([0.5, 7.0, 100.0]), PERIODS, st.integers(1, 60), MOMENTS)
def test_no_window_holds_more_than_its_limit_whoever_asks_when(
    rate: float, period: Period, limit: int, moments: list[tuple[int, int, int, str, int]]
) -> None:
    """Any number of workers, any horizons, refusals, and a clock of the server that is set back again and again.

    Windows are looked at by true time, which never steps.
    """
    pace, true_us, behind_us, slots = limited(rate, **{period: limit}), START, 0, list[int]()
    for passed_us, horizon_us, max_slots, event, step_us in moments:
        true_us += passed_us
        behind_us += step_us if event == "back" else 0
        now_us = true_us - behind_us
        if event == "refused":
            pace = slow_down(pace, pace.epoch, now_us, step_us % MINUTE, ADAPT)
        pace, more = drawn(pace, now_us, horizon_us, max_slots)
        assert all(now_us - CATCH_UP_US <= slot <= now_us + horizon_us for slot in more)
        slots += [slot + behind_us for slot in more]
    assert slots == sorted(slots)
    assert max_within(slots, LENGTH[period]) <= limit
    assert max_within(slots, SECOND) <= rate + 1


@given(PERIODS, st.integers(1, 200), st.integers(1, 2 * DAY))
def test_after_a_clock_was_set_back_a_period_and_little_more_frees_all(
    period: Period, limit: int, step_us: int
) -> None:
    pace, _ = drawn(limited(10_000, **{period: limit}), START, max_slots=limit)
    later_us = START - step_us
    pace, _ = reserve(pace, later_us, SECOND, ADAPT)
    later_us += LENGTH[period] + 3 * BUCKETS[period][0] + 30 * SECOND
    assert drawn(pace, later_us, horizon_us=0, max_slots=1)[1] == [later_us - CATCH_UP_US]


@settings(max_examples=30)  # each draws the permits of 70 seconds
@given(st.sampled_from([1.0, 10.0, 40.0]), st.integers(SECOND // 20, SECOND))
def test_limits_that_are_not_reached_cost_nothing(rate: float, every_us: int) -> None:
    """The account's rate is used as fully as without them."""
    bare, wide = limited(rate), limited(rate, minute=int(rate * 62) + 10, day=10**9)
    for now_us in range(START, START + 70 * SECOND, every_us):
        bare, without = drawn(bare, now_us)
        wide, within = drawn(wide, now_us)
        assert without == within


@pytest.mark.parametrize(("period", "share"), [(Period.MINUTE, 0.98), (Period.DAY, 0.98)])
def test_a_longer_limit_is_used_to_all_but_a_bucket(period: Period, share: float) -> None:
    pace, slots = limited(1000, **{period: 60}), []
    length_us = LENGTH[period]
    for now_us in range(START, START + 20 * length_us, length_us // 240):
        pace, more = drawn(pace, now_us)
        slots += more
    assert len(slots) >= 60 * 20 * share


def test_a_changed_limit_keeps_what_was_granted() -> None:
    pace, _ = drawn(limited(10, minute=3), START)
    raised = with_allowances(pace, {Period.MINUTE: 5})
    assert len(drawn(raised, START + SECOND)[1]) == 2
    lowered = with_allowances(pace, {Period.MINUTE: 2})
    assert next_us(lowered, START + SECOND) == START + MINUTE + SECOND
    assert with_allowances(pace, {Period.MINUTE: 0}) == replace(pace, allowances=())


def test_a_new_allowance_is_unused() -> None:
    allowance: Allowance = new_allowance(Period.DAY, 7)
    assert (next_free_slot_us(allowance), room(allowance, START), used(allowance, START)) == (0, 7, 0)
