"""How many faxes are asked about with few requests."""

import math
from collections.abc import Sequence
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.core.job import JobId
from dispatcher.core.recovery.readback_plan import PAGE, ListWindow, ReadbackJob, ReadbackPlan, pages, plan

MINUTE = 60_000
#: hours after everything that is looked for
LATER = 10 * 3_600_000


def lookups(*began_ms: int) -> list[ReadbackJob]:
    return [
        ReadbackJob(job=JobId("b", row), began_ms=ms, fax_id=f"F{row}" * (row % 2)) for row, ms in enumerate(began_ms)
    ]


def asked(plan: ReadbackPlan) -> list[ReadbackJob]:
    return [*plan.single, *(lookup for window in plan.windows for lookup in window.jobs)]


def requests(plan: ReadbackPlan, rate: float) -> int:
    """How many requests a plan takes at most: a page holds a thousand faxes, ours and all others of the time."""
    return len(plan.single) + sum(pages(window, rate) for window in plan.windows)


TIMES = st.lists(st.integers(0, 3_600_000), max_size=60)
RATES = st.sampled_from([0.5, 1.0, 10.0, 100.0, 1000.0])
MARGINS = st.sampled_from([0.0, 5.0, 60.0])


def test_nothing_to_look_for_asks_nothing() -> None:
    assert plan([], rate_per_second=10, margin_s=60, now_ms=LATER) == ReadbackPlan(windows=(), single=())


def test_a_fax_alone_is_asked_about_by_itself() -> None:
    assert plan(lookups(5), rate_per_second=1, margin_s=60, now_ms=LATER) == ReadbackPlan(
        windows=(), single=(lookups(5)[0],)
    )


def test_faxes_of_one_time_are_listed_together() -> None:
    unclear = lookups(3_000, 1_000, 2_000)
    window = ListWindow(from_ms=1_000 - MINUTE, to_ms=3_000 + MINUTE, jobs=(unclear[1], unclear[2], unclear[0]))
    assert plan(unclear, rate_per_second=5, margin_s=60, now_ms=LATER) == ReadbackPlan(windows=(window,), single=())


def test_faxes_that_lie_far_apart_are_not_listed_together() -> None:
    hour = 60 * MINUTE
    times = [*range(20), *range(hour, hour + 20)]
    windows = plan(lookups(*times), rate_per_second=10, margin_s=10, now_ms=LATER).windows
    assert sorted((window.from_ms, window.to_ms) for window in windows) == [
        (-10_000, 10_019),
        (hour - 10_000, hour + 10_019),
    ]


def test_one_that_lies_off_is_asked_about_beside_the_list_of_the_others() -> None:
    """A minute of others takes six pages at this rate."""
    chosen = plan(lookups(*range(100), MINUTE), rate_per_second=100, margin_s=5, now_ms=LATER)
    assert [len(window.jobs) for window in chosen.windows] == [100]
    assert [lookup.began_ms for lookup in chosen.single] == [MINUTE]


@pytest.mark.parametrize(("rate", "windows"), [(1, 1), (10, 1), (20, 0), (100, 0)])
def test_a_list_full_of_other_faxes_is_not_walked_for_a_few(rate: float, windows: int) -> None:
    """Three faxes within a minute are asked about one by one once the list around them may have three pages."""
    unclear = lookups(0, 30_000, 5_000)
    assert len(plan(unclear, rate_per_second=rate, margin_s=45, now_ms=LATER).windows) == windows


def test_a_thousand_faxes_of_one_second_take_few_requests() -> None:
    chosen = plan(lookups(*range(1000)), rate_per_second=50, margin_s=60, now_ms=LATER)
    assert (len(chosen.windows), chosen.single) == (1, ())
    assert requests(chosen, 50) == 7


def test_all_unclear_sends_of_half_a_minute_at_full_rate_cost_less_than_a_read_a_second() -> None:
    """A tenth of a hundred sends a second is unclear, and three look-ups of the default policy fall due at a time."""
    now = LATER
    began = [now - s * 1000 - 20_250 - ms for s in (15, 45, 120) for ms in range(0, 30_000, 100)]
    chosen = plan(lookups(*began), rate_per_second=100, margin_s=60, now_ms=now)
    assert chosen.single == ()
    assert requests(chosen, 100) < 30


@given(TIMES, RATES, MARGINS, st.integers(0, 3_700_000))
def test_every_fax_is_asked_for_exactly_once(times: list[int], rate: float, margin_s: float, now_ms: int) -> None:
    chosen = plan(lookups(*times), rate_per_second=rate, margin_s=margin_s, now_ms=now_ms)
    assert sorted(lookup.job for lookup in asked(chosen)) == [lookup.job for lookup in lookups(*times)]


@given(TIMES, RATES, MARGINS)
def test_a_plan_takes_no_more_requests_than_asking_one_by_one(times: list[int], rate: float, margin_s: float) -> None:
    assert requests(plan(lookups(*times), rate_per_second=rate, margin_s=margin_s, now_ms=LATER), rate) <= len(times)


@given(TIMES, RATES, MARGINS, st.integers(0, 3_700_000))
def test_a_window_holds_its_faxes_and_lies_in_the_past(
    times: list[int], rate: float, margin_s: float, now_ms: int
) -> None:
    """What is created from now on has a time behind it, so that its pages do not shift while they are read."""
    for window in plan(lookups(*times), rate_per_second=rate, margin_s=margin_s, now_ms=now_ms).windows:
        held = [lookup.began_ms for lookup in window.jobs]
        assert held == sorted(held)
        assert window.from_ms == held[0] - margin_s * 1000
        assert held[-1] <= window.to_ms <= held[-1] + margin_s * 1000
        assert window.to_ms // 1000 < now_ms // 1000


@given(st.lists(st.integers(0, 300_000), max_size=9), RATES, MARGINS)
def test_no_other_division_takes_fewer_requests(times: list[int], rate: float, margin_s: float) -> None:
    """Where each range counts a page more than its length says, as in the plan."""
    chosen = plan(lookups(*times), rate_per_second=rate, margin_s=margin_s, now_ms=LATER)
    page_ms = PAGE * 1000 / rate
    listed = [(window.to_ms - window.from_ms) / page_ms + 1 for window in chosen.windows]
    assert len(chosen.single) + sum(listed) == pytest.approx(cheapest(tuple(sorted(times)), page_ms, margin_s * 1000))


def cheapest(times: Sequence[int], page_ms: float, margin_ms: float) -> float:
    """By trying every way to begin."""

    @cache
    def rest(first: int) -> float:
        if first == len(times):
            return 0.0
        listed = (
            (times[last] - times[first] + 2 * margin_ms) / page_ms + 1 + rest(last + 1)
            for last in range(first, len(times))
        )
        return min(1 + rest(first + 1), *listed)

    return rest(0)


def test_pages_are_counted_whole() -> None:
    window = ListWindow(from_ms=0, to_ms=120_000, jobs=())
    assert [pages(window, rate) for rate in (0.1, 5, 100, 101)] == [1, 1, 12, math.ceil(12.12)]
