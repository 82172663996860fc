"""The shared pace of an account, on a simulated clock in microseconds."""

from bisect import bisect_left
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher.core.limits.allowance import MAX_AHEAD_US, Period
from dispatcher.core.limits.rate import (
    CATCH_UP_US,
    LONGEST_WAIT_US,
    SLOWEST,
    USED,
    WINDOW_US,
    RateState,
    blocked_until_us,
    interval_us,
    next_us,
    used_ratio,
    window_us,
)
from dispatcher.core.reference.pacing import (
    Adaptation,
    next_read_us,
    reserve,
    reserve_read,
    slots_within,
    slow_down,
    unblock,
    with_allowances,
    with_ceiling,
)

START = 1_772_532_000_000_000
SECOND = 1_000_000
HORIZON = SECOND
ADAPT = Adaptation()
RATES = st.sampled_from([0.1, 0.5, 1.0, 3.0, 10.0, 33.3, 100.0, 1000.0])


def steady(rate: float) -> RateState:
    return RateState(ceiling=rate, rate=rate)


def taken(pace: RateState, now_us: int, horizon_us: int = HORIZON) -> tuple[RateState, list[int]]:
    """All permits that are to be had at one moment."""
    slots: list[int] = []
    while True:
        pace, slot = reserve(pace, now_us, horizon_us, ADAPT)
        if slot is None:
            return pace, slots
        slots.append(slot)


def max_within(slots: list[int], span_us: int) -> int:
    """The most slots that fall into any span of that length."""
    slots = sorted(slots)
    return max((bisect_left(slots, slot + span_us) - index for index, slot in enumerate(slots)), default=0)


@given(rate=RATES, ahead_us=st.integers(0, 30 * SECOND), gap_us=st.sampled_from([0, SECOND // 3, 3 * SECOND]))
def test_as_many_slots_are_promised_as_are_granted(rate: float, ahead_us: int, gap_us: int) -> None:
    pace = replace(steady(rate), tat_us=START + ahead_us - SECOND, probe_gap_us=gap_us)
    assert slots_within(pace, START, HORIZON) == len(taken(pace, START)[1])


def test_no_slot_is_promised_while_the_providers_wait_lasts() -> None:
    """Not even one within the horizon: none is granted yet."""
    pace = replace(steady(10), blocked_until_us=START + HORIZON // 2)
    assert slots_within(pace, START, HORIZON) == len(taken(pace, START)[1]) == 0
    assert slots_within(pace, START + HORIZON // 2, HORIZON) > 0


@given(limit=st.integers(0, 30), used=st.integers(0, 30))
def test_no_more_slots_are_promised_than_the_limit_of_a_minute_leaves(limit: int, used: int) -> None:
    pace = with_allowances(steady(10), {Period.MINUTE: used})
    pace, _ = taken(pace, START - 5 * SECOND, 3 * SECOND)
    pace = with_allowances(pace, {Period.MINUTE: limit})
    assert slots_within(pace, START, HORIZON) == len(taken(pace, START)[1])


def test_slots_keep_their_distance() -> None:
    _, slots = taken(steady(10), START)
    assert slots == [START - CATCH_UP_US + n * interval_us(10) for n in range(11)]


def test_what_is_further_away_than_the_horizon_is_not_granted_and_nothing_is_lost() -> None:
    pace, _ = taken(steady(10), START)
    again, slot = reserve(pace, START, HORIZON, ADAPT)
    assert (again, slot) == (pace, None)
    later, slots = taken(pace, START + SECOND // 2)
    assert len(slots) == 5
    assert later.granted + later.granted_before == 16


def test_a_pause_is_made_up_for_only_by_the_catch_up_time() -> None:
    pace, _ = taken(steady(100), START)
    _, slots = taken(pace, START + 60 * SECOND)
    assert slots[0] == START + 60 * SECOND - CATCH_UP_US


def test_a_clock_set_back_does_not_stop_the_sending() -> None:
    """The next slot is near the new time, not an hour away, and after all that may have been granted ahead."""
    pace, _ = taken(steady(10), START)
    back = START - 3600 * SECOND
    pace, slot = reserve(pace, back, HORIZON, ADAPT)
    assert slot is None
    pace, slot = reserve(pace, back + MAX_AHEAD_US - HORIZON, HORIZON, ADAPT)
    assert slot == back + MAX_AHEAD_US


def test_a_caller_that_looks_less_far_ahead_does_not_take_again_what_another_reserved() -> None:
    """Reads reserve further ahead than sends do, and that is not a clock that was set back."""
    reserved, slots = taken(steady(10), START, horizon_us=5 * SECOND)
    assert taken(reserved, START, horizon_us=0) == (reserved, [])
    assert taken(reserved, slots[-1] + interval_us(10), horizon_us=0)[1] == [slots[-1] + interval_us(10)]


def test_a_clock_set_back_a_little_only_waits() -> None:
    pace, slots = taken(steady(10), START)
    pace, slot = reserve(pace, START - SECOND // 2, HORIZON, ADAPT)
    assert slot is None
    assert pace.tat_us == slots[-1] + interval_us(10)


def test_slots_that_were_granted_before_a_refusal_are_not_granted_again() -> None:
    pace, slots = taken(steady(10), START)
    cut = slow_down(pace, 0, START, 0, ADAPT)
    assert taken(cut, START + SECOND)[1][0] == slots[-1] + interval_us(10)


@given(
    RATES,
    st.lists(
        st.tuples(st.integers(0, 3 * SECOND), st.integers(0, 5 * SECOND), st.integers(1, 20), st.booleans()),
        max_size=15,
    ),
    st.integers(1, 20 * SECOND),
)
def test_the_rate_is_not_overrun_whoever_asks_when(
    rate: float, asks: list[tuple[int, int, int, bool]], span_us: int
) -> None:
    """Any number of workers, any horizons, refusals: no span holds more slots than the rate allows, rounded up."""
    pace, now_us, slots = steady(rate), START, []
    for passed_us, horizon_us, max_slots, refused in asks:
        now_us += passed_us
        pace = slow_down(pace, pace.epoch, now_us, 1000, ADAPT) if refused else pace
        for _ in range(max_slots):
            pace, slot = reserve(pace, now_us, horizon_us, ADAPT)
            if slot is not None:
                assert now_us - CATCH_UP_US <= slot <= now_us + horizon_us
                slots.append(slot)
    assert slots == sorted(set(slots))
    assert max_within(slots, span_us) <= rate * span_us / SECOND + 1


def test_a_bucket_that_a_late_send_emptied_is_full_again_in_time() -> None:
    """Of a strict bucket for two: a send that leaves 90 ms late costs nothing for good."""
    pace, slots = steady(10), list[int]()
    for second in range(30):
        pace, more = taken(pace, START + second * SECOND)
        slots += more
    level, at_us, levels = 2.0, slots[0], []
    for number, slot in enumerate(slots):
        leaves_us = slot + 90_000 if number == 20 else slot
        level = min(2.0, level + (leaves_us - at_us) * 10 / SECOND) - 1.0
        at_us = leaves_us
        levels.append(level)
    assert min(levels) == pytest.approx(0.1, abs=0.02), "it was nearly refused"
    assert levels[-1] == pytest.approx(1.0)


@given(RATES, st.integers(SECOND // 20, HORIZON))
def test_the_rate_is_used_fully_if_somebody_asks_once_a_horizon(rate: float, every_us: int) -> None:
    """Nothing is lost but the hundredth that is left over, and what rounding up an interval costs."""
    pace, slots = steady(rate), 0
    for now_us in range(START, START + 3 * SECOND, every_us):
        pace, more = taken(pace, now_us)
        slots += len(more)
    assert slots >= int(rate * USED * 3 * (1 - rate / SECOND))


@given(RATES, st.lists(st.integers(0, 5), min_size=1, max_size=20))
def test_a_refusal_cuts_the_rate_once_per_epoch(rate: float, epochs: list[int]) -> None:
    """However many requests of an epoch are refused, and however late the answers come."""
    pace, cuts = steady(rate), 0
    for epoch in epochs:
        cut = slow_down(pace, epoch, START, 0, ADAPT)
        if epoch == pace.epoch:
            cuts += 1
            assert (cut.rate, cut.epoch) == (max(min(SLOWEST, rate), pace.rate / 2), pace.epoch + 1)
        else:
            assert (cut.rate, cut.epoch, cut.tat_us) == (pace.rate, pace.epoch, pace.tat_us)
        pace = cut
    assert (pace.epoch, pace.refusals) == (cuts, cuts)


def test_nothing_is_granted_until_the_wait_is_over() -> None:
    pace = slow_down(steady(10), 0, START, 7 * SECOND, ADAPT)
    assert taken(pace, START + 7 * SECOND - 1)[1] == []
    assert taken(pace, START + 7 * SECOND, horizon_us=0)[1] == [START + 7 * SECOND]


def test_after_a_refusal_one_probe_is_granted_and_the_cut_rate_a_second_later() -> None:
    pace = slow_down(steady(10), 0, START, 0, ADAPT)
    pace, slots = taken(pace, START, horizon_us=2 * SECOND)
    assert slots == [START, *(START + SECOND + n * interval_us(5) for n in range(5))]


def test_every_epoch_has_a_probe_of_its_own_and_older_refusals_none() -> None:
    pace, _ = taken(slow_down(steady(10), 0, START, 0, ADAPT), START)
    assert pace.probe_gap_us == 0
    assert slow_down(pace, 0, START, 0, ADAPT).probe_gap_us == 0
    assert slow_down(pace, 1, START, 0, ADAPT).probe_gap_us == ADAPT.probe_gap_us


def test_a_slow_account_is_not_made_quicker_by_its_probe() -> None:
    pace = slow_down(steady(0.2), 0, START, 0, ADAPT)
    assert taken(pace, START, horizon_us=11 * SECOND)[1] == [START, START + interval_us(0.1)]


@pytest.mark.parametrize("wait_us", [LONGEST_WAIT_US + 1, 86_400 * SECOND, 1_795_000_000 * SECOND, 10**300])
def test_no_wait_is_longer_than_an_hour(wait_us: int) -> None:
    pace = slow_down(steady(10), 0, START, wait_us, ADAPT)
    assert pace.blocked_until_us == START + 3600 * SECOND
    assert taken(pace, START + 3600 * SECOND - 1)[1] == []
    assert taken(pace, START + 3600 * SECOND, horizon_us=0)[1] == [START + 3600 * SECOND]


def test_a_wait_that_was_stored_longer_ends_within_an_hour() -> None:
    """An older version believed the provider whatever it said."""
    pace = replace(steady(10), blocked_until_us=START * 2, cut_us=START * 2)
    assert next_us(pace, START) == blocked_until_us(pace, START) == START + 3600 * SECOND
    pace, _ = taken(pace, START)
    assert taken(pace, START + 3600 * SECOND)[1] != []


@pytest.mark.parametrize("back_s", [1, 60, 1800, 3600, 86_400, 400 * 86_400])
def test_a_clock_set_back_lengthens_no_wait(back_s: int) -> None:
    """Neither that of a refusal nor the time in which the rate is regained."""
    pace = slow_down(steady(100), 0, START, 2 * SECOND, ADAPT)
    back = START - back_s * SECOND
    pace, slot = reserve(pace, back, HORIZON, ADAPT)
    assert (slot, pace.blocked_until_us) == (None, back + 2 * SECOND)
    assert taken(pace, back + 2 * SECOND, horizon_us=0)[1] == [back + 2 * SECOND]
    for second in range(30):
        pace, _ = taken(pace, back + second * SECOND)
    assert pace.rate == 100


@pytest.mark.parametrize("back_s", [20, 600, 3600])
def test_a_clock_set_back_behind_a_refusal_puts_off_nothing_that_was_sent_since(back_s: int) -> None:
    """After a refusal the account sends for 15 seconds, and then the clock is set back."""
    pace, now_us = slow_down(steady(10.0), 0, START, SECOND, ADAPT), START
    while now_us < START + 15 * SECOND:
        now_us += SECOND // 2
        pace, _ = taken(pace, now_us)
    now_us -= back_s * SECOND
    assert now_us < next_us(reserve(pace, now_us, HORIZON, ADAPT)[0], now_us) <= now_us + SECOND + MAX_AHEAD_US


def test_an_operator_ends_a_wait_and_the_rate_begins_where_it_was_cut() -> None:
    blocked = slow_down(steady(100), 0, START, 3600 * SECOND, ADAPT)
    pace = unblock(blocked, START + SECOND)
    _, slots = taken(pace, START + SECOND + MAX_AHEAD_US)
    assert slots[:2] == [START + SECOND + MAX_AHEAD_US, START + 2 * SECOND + MAX_AHEAD_US], "a probe comes first"
    assert (pace.rate, pace.epoch, pace.cut_us) == (50, 1, START + SECOND)
    assert unblock(pace, START + 9 * SECOND) == pace, "without a wait nothing changes"


@settings(max_examples=30)
@given(st.sampled_from([0.1, 0.5, 10.0, 33.3]), st.integers(0, 4000), st.integers(0, 10))
def test_ending_a_wait_grants_no_slot_twice(rate: float, wait_s: int, after_s: int) -> None:
    """What was granted before the refusal still leaves."""
    pace, slots = taken(steady(rate), START)
    pace = unblock(slow_down(pace, 0, START, wait_s * SECOND, ADAPT), START + after_s * SECOND)
    for second in range(15):
        pace, more = taken(pace, START + (after_s + second) * SECOND)
        slots += more
    assert all(later - earlier >= interval_us(rate) for earlier, later in pairwise(slots))


def test_a_longer_wait_is_honoured_even_by_an_older_epoch() -> None:
    pace = slow_down(steady(10), 0, START, SECOND, ADAPT)
    assert slow_down(pace, 0, START, 9 * SECOND, ADAPT) == replace(pace, blocked_until_us=START + 9 * SECOND)
    assert slow_down(pace, 0, START, SECOND // 2, ADAPT) == pace


def rates_after(pace: RateState, seconds: int) -> list[float]:
    """The rate at the end of each second, with somebody asking all the time."""
    rates = []
    for second in range(1, seconds + 1):
        pace, _ = taken(pace, START + second * SECOND)
        rates.append(pace.rate)
    return rates


def test_after_a_refusal_the_rate_is_soon_back_where_it_was_cut() -> None:
    rates = rates_after(slow_down(steady(100), 0, START, 0, ADAPT), 12)
    assert rates == sorted(rates)
    assert rates == pytest.approx([63.55, 74.4, 82.85, 89.2, 93.75, 96.8, 98.65, 99.6, 99.95, 100, 100, 100])


def test_where_it_was_refused_the_rate_stays_for_a_while_and_then_looks_for_more() -> None:
    """The limit was halved and is back: a cut at 50 is forgotten in less than thirty seconds."""
    refused_at_50 = replace(steady(100), rate=50.0)
    rates = rates_after(slow_down(refused_at_50, 0, START, 0, ADAPT), 30)
    assert [rates[second - 1] for second in (8, 10, 12, 20)] == pytest.approx([49.8, 50, 50.2, 75])
    assert rates[24 - 1] > 90
    assert rates[-1] == 100


def test_a_rate_that_is_back_has_forgotten_its_refusals() -> None:
    pace = slow_down(steady(100), 0, START, 0, ADAPT)
    pace, _ = reserve(pace, START + ADAPT.regain_us // 2, HORIZON, ADAPT)
    assert pace.refusals == 1
    pace, _ = reserve(pace, START + ADAPT.regain_us, HORIZON, ADAPT)
    assert pace.refusals == 0


@given(RATES, st.integers(0, 12), st.integers(0, 60))
def test_the_rate_is_back_at_the_ceiling_in_the_end(rate: float, cuts: int, wait_s: int) -> None:
    """However often it was cut, and never above."""
    pace = steady(rate)
    for epoch in range(cuts):
        pace = slow_down(pace, epoch, START, wait_s * SECOND, ADAPT)
    for second in range(0, 220 + wait_s, 10):
        pace, _ = reserve(pace, START + second * SECOND, HORIZON, ADAPT)
        assert pace.rate <= pace.ceiling
    assert pace.rate == rate


def test_an_account_with_a_new_limit_follows_it_at_once_unless_it_was_cut() -> None:
    assert with_ceiling(steady(10), 30) == steady(30)
    assert with_ceiling(steady(10), 5) == steady(5)
    cut = slow_down(steady(10), 0, START, 0, ADAPT)
    assert with_ceiling(cut, 30).rate == 5
    assert with_ceiling(cut, 2).rate == 2


@pytest.mark.parametrize(
    ("asked_s", "ratio"),
    [(5, 0.0), (10, 0.5), (15, 0.5), (19.9, 0.5), (20, 0.0), (60, 0.0)],
)
def test_use_is_that_of_the_last_full_window(asked_s: float, ratio: float) -> None:
    """Fifty permits in ten seconds are half of what ten a second allow."""
    pace = replace(steady(10), window_us=START, granted=50)
    assert used_ratio(pace, START + int(asked_s * SECOND)) == ratio


def test_a_new_window_remembers_the_one_before_and_forgets_an_older_one() -> None:
    pace = replace(steady(10), window_us=START, granted=50, tat_us=START)
    next_one, _ = reserve(pace, START + WINDOW_US + SECOND, HORIZON, ADAPT)
    later, _ = reserve(pace, START + 2 * WINDOW_US + SECOND, HORIZON, ADAPT)
    assert (next_one.granted, next_one.granted_before) == (1, 50)
    assert (later.granted, later.granted_before) == (1, 0)
    assert used_ratio(next_one, START + WINDOW_US + SECOND) == 0.5


@given(
    RATES, st.integers(0, WINDOW_US), st.lists(st.tuples(st.integers(1, 400), st.integers(0, 5 * SECOND)), max_size=8)
)
def test_use_counts_by_slot_and_is_never_more_than_all(
    rate: float, start_us: int, leases: list[tuple[int, int]]
) -> None:
    """However far ahead slots are granted, and however many at a time. The last window without room for more counts."""
    pace, now_us, slots = steady(rate), START + start_us, list[int]()
    for jobs, pause_us in leases:
        for _ in range(jobs):
            pace, slot = reserve(pace, now_us, MAX_AHEAD_US, ADAPT)
            slots += [slot] if slot is not None else []
        now_us += pause_us
        length_us = window_us(pace)
        last_us = slots[-1] // length_us * length_us
        full_us = last_us if last_us + length_us <= now_us else last_us - length_us
        sent = sum(full_us <= slot < full_us + length_us for slot in slots)
        assert used_ratio(pace, now_us) == min(1.0, sent / (rate * length_us / SECOND))


@pytest.mark.parametrize("rate", [0.05, 0.3, 1, 20, 200])
def test_a_rate_that_is_used_fully_is_shown_so(rate: float) -> None:
    """All but the hundredth that is never used, and one slot for the edges of the window: at no time is it less."""
    pace, now_us = steady(rate), START
    for _ in range(round(max(60, 6 * rate * WINDOW_US / SECOND))):
        pace, _ = reserve(pace, now_us, MAX_AHEAD_US, ADAPT)
        now_us += round(SECOND / rate)
        if now_us > START + 2 * window_us(pace):
            assert 0.9 <= used_ratio(pace, now_us) <= 1.0


def test_a_clock_that_was_set_back_leaves_no_use_from_times_to_come() -> None:
    pace = replace(steady(10), window_us=START, granted=50, granted_before=99)
    assert used_ratio(pace, START - MAX_AHEAD_US) == 0.99
    assert used_ratio(pace, START - MAX_AHEAD_US - 1) == 0


READ_HORIZON = 2 * SECOND
#: how long the account is at work in the tests of reads, seconds
WORK_S = 20


def at_work(rate: float, share: float, *, sends: float, reads: float) -> tuple[list[int], list[int]]:
    """Slots of sends and of reads. So many of both come due a second, and wait for their permit as workers do."""
    pace, sent, read = steady(rate), list[int](), list[int]()
    due_sends, due_reads, step_us = 0.0, 0.0, 5_000
    for now in range(START, START + WORK_S * SECOND, step_us):
        due_sends, due_reads = due_sends + sends * step_us / SECOND, due_reads + reads * step_us / SECOND
        while due_sends >= 1:
            pace, slot = reserve(pace, now, HORIZON, ADAPT)
            if slot is None:
                break
            sent.append(slot)
            due_sends -= 1
        while due_reads >= 1:
            pace, slot = reserve_read(pace, now, READ_HORIZON, ADAPT, share)
            if slot is None:
                assert next_read_us(pace, now, share) > now
                break
            read.append(slot)
            due_reads -= 1
    return sent, read


WORKING = pytest.mark.parametrize("rate", [3.0, 33.3, 100.0])


@WORKING
@pytest.mark.parametrize("share", [0.02, 0.1, 0.5])
def test_reads_have_their_share_of_a_busy_rate_and_no_more(rate: float, share: float) -> None:
    sent, read = at_work(rate, share, sends=2 * rate, reads=2 * rate)
    permits = rate * USED * WORK_S
    assert share * permits - 2 <= len(read) <= share * (permits + rate * 3) + 2
    assert len(sent) >= (1 - share) * permits - share * rate * 3 - 2
    assert max_within([*sent, *read], SECOND) <= rate * USED * 1.05 + 2


@WORKING
@pytest.mark.parametrize("sends", [0.0, 0.4, 0.85])
def test_reads_have_all_that_sends_leave(rate: float, sends: float) -> None:
    """And sends get what they ask for, whatever the reads want."""
    sent, read = at_work(rate, 0.1, sends=sends * rate, reads=2 * rate)
    assert len(sent) >= sends * rate * WORK_S - 2
    assert len(sent) + len(read) >= 0.9 * rate * USED * WORK_S - 3


@WORKING
def test_a_read_that_comes_seldom_does_not_wait_for_the_sends_before_it(rate: float) -> None:
    """It is granted a slot at once, behind those that were granted already."""
    sent, read = at_work(rate, 0.1, sends=2 * rate, reads=0.05 * rate)
    assert len(read) == int(0.05 * rate * WORK_S + 1e-6)
    assert not set(sent) & set(read)


@pytest.mark.parametrize("step_s", [-300, 300])
def test_reads_go_on_after_a_step_of_the_clock(step_s: int) -> None:
    pace, slot = reserve_read(steady(10), START, READ_HORIZON, ADAPT, 0.1)
    assert slot is not None
    later = START + step_s * SECOND
    slot, waited_s = None, -1
    while slot is None:
        waited_s += 1
        pace, slot = reserve_read(pace, later + waited_s * SECOND, READ_HORIZON, ADAPT, 0.1)
    assert waited_s <= 6
