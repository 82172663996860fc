"""How news of accepted faxes is asked for with few requests."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.core.job import JobId
from dispatcher.core.reading import GAP_MS, PAGE, Overdue, Plan, Window, plan

MINUTE = 60_000


def overdue(*began_ms: int) -> list[Overdue]:
    return [Overdue(job=JobId("b", row), fax_id=f"F{row}", began_ms=ms) for row, ms in enumerate(began_ms)]


def asked(plan: Plan) -> list[Overdue]:
    return [*plan.single, *(fax for window in plan.windows for fax in window.faxes)]


def requests(plan: Plan, rate: float, margin_s: float) -> int:
    """How many requests a plan takes at most: a page holds a thousand faxes, ours and all others of the time."""
    spans_s = [(window.to_ms - window.from_ms) / 1000 + 2 * margin_s for window in plan.windows]
    return len(plan.single) + sum(max(1, math.ceil(span_s * rate / PAGE)) for span_s in spans_s)


FAXES = st.lists(st.integers(0, 3_600_000), max_size=60).map(lambda times: overdue(*times))
RATES = st.sampled_from([0.5, 1.0, 10.0, 100.0, 1000.0])
MARGINS = st.sampled_from([0.0, 5.0, 60.0])


def test_nothing_overdue_asks_nothing() -> None:
    assert plan([], rate_per_second=10, margin_s=60) == Plan(windows=(), single=())


def test_a_single_fax_is_read_by_its_id() -> None:
    faxes = overdue(5)
    assert plan(faxes, rate_per_second=1, margin_s=60) == Plan(windows=(), single=tuple(faxes))


def test_faxes_of_one_time_are_listed_together() -> None:
    faxes = overdue(3_000, 1_000, 2_000)
    window = Window(from_ms=1_000, to_ms=3_000, faxes=(faxes[1], faxes[2], faxes[0]))
    assert plan(faxes, rate_per_second=5, margin_s=60) == Plan(windows=(window,), single=())


def test_faxes_that_lie_far_apart_are_not_listed_together() -> None:
    faxes = overdue(0, 1, 2 * MINUTE, 2 * MINUTE + 1)
    windows = plan(faxes, rate_per_second=1, margin_s=10).windows
    assert [(window.from_ms, window.to_ms) for window in windows] == [(0, 1), (2 * MINUTE, 2 * MINUTE + 1)]


@pytest.mark.parametrize(("rate", "windows"), [(8, 1), (16, 1), (17, 0), (100, 0)])
def test_a_list_full_of_other_faxes_is_not_walked_for_a_few(rate: float, windows: int) -> None:
    """Three faxes within a minute are read by their ids once the list around them has three pages."""
    faxes = overdue(0, 30_000, 5_000)
    assert len(plan(faxes, rate_per_second=rate, margin_s=45).windows) == windows


def test_a_thousand_faxes_of_one_second_take_few_requests() -> None:
    found = plan(overdue(*range(1000)), rate_per_second=50, margin_s=60)
    assert (len(found.windows), found.single) == (1, ())
    assert requests(found, 50, 60) == 7


@given(FAXES, RATES, MARGINS)
def test_every_fax_is_asked_for_exactly_once(faxes: list[Overdue], rate: float, margin_s: float) -> None:
    found = plan(faxes, rate_per_second=rate, margin_s=margin_s)
    assert sorted(fax.job for fax in asked(found)) == [fax.job for fax in faxes]


@given(FAXES, RATES, MARGINS)
def test_a_plan_takes_no_more_requests_than_reading_by_id(faxes: list[Overdue], rate: float, margin_s: float) -> None:
    assert requests(plan(faxes, rate_per_second=rate, margin_s=margin_s), rate, margin_s) <= len(faxes)


@given(FAXES, RATES, MARGINS)
def test_a_window_holds_its_faxes_closely(faxes: list[Overdue], rate: float, margin_s: float) -> None:
    """It begins with the first and ends with the last of them, and has no gap in which it would list in vain."""
    for window in plan(faxes, rate_per_second=rate, margin_s=margin_s).windows:
        times = [fax.began_ms for fax in window.faxes]
        assert (window.from_ms, window.to_ms) == (times[0], times[-1])
        assert all(0 <= later - earlier <= GAP_MS for earlier, later in pairwise(times))
