"""When a mailing will have been sent: the rate, the limits of a minute and a day, and other mailings."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.core.batch import Priority
from dispatcher.core.destinations import PriceList
from dispatcher.core.forecast import MailingPrice, Share, finish, price_of
from dispatcher.core.limits.allowance import BUCKETS, Allowance, Period
from dispatcher.core.limits.limited_by import LimitedBy
from dispatcher.core.limits.rate import USED, RateState

NOW_US = 1_795_000_000_000_000
S = 1_000_000
DAY_S = 86_400
RATE = RateState(ceiling=10 / USED, rate=10 / USED)


def allowance(period: Period, limit: int, *counts: int) -> Allowance:
    bucket_us, buckets = BUCKETS[period]
    full = (*counts, *(0 for _ in range(buckets + 1 - len(counts))))
    return Allowance(period=period, limit=limit, newest=NOW_US // bucket_us, counts=full)


def seconds(share: Share, *others: Share, state: RateState = RATE, begin_us: int = NOW_US) -> float:
    return (finish(share, others, state, begin_us, NOW_US).at_us - NOW_US) / S


@pytest.mark.parametrize(
    ("share", "others", "expected_s"),
    [
        (Share(jobs=0), (), 0),
        (Share(jobs=1000), (), 100),
        (Share(jobs=1000), (Share(jobs=1000),), 200),
        (Share(jobs=1000), (Share(jobs=9_000_000),), 200),
        (Share(jobs=1000), (Share(jobs=10),), 101),
        (Share(jobs=1000), (Share(jobs=9_000_000, weight=3),), 400),
        (Share(jobs=1000, weight=10), (Share(jobs=9_000_000),), 110),
        (Share(jobs=1000), (Share(jobs=5000, priority=Priority.URGENT),), 600),
        (Share(jobs=1000, priority=Priority.URGENT), (Share(jobs=5000),), 100),
    ],
)
def test_mailings_share_the_rate(share: Share, others: tuple[Share, ...], expected_s: float) -> None:
    assert seconds(share, *others) == pytest.approx(expected_s)


def test_sending_begins_at_its_start_time() -> None:
    assert seconds(Share(jobs=100), begin_us=NOW_US + 60 * S) == pytest.approx(70)


def test_a_wait_that_the_provider_asked_for_comes_first() -> None:
    waiting = replace(RATE, blocked_until_us=NOW_US + 30 * S)
    end = finish(Share(jobs=100), (), waiting, NOW_US, NOW_US)
    assert end.at_us - NOW_US == pytest.approx(40 * S)
    assert end.limited_by is LimitedBy.PROVIDER_WAIT


@pytest.mark.parametrize(
    ("limit", "jobs", "expected_s", "word"),
    [
        (60, 600, 600, LimitedBy.ALLOWANCE),
        (600, 600, 60, LimitedBy.RATE),
        (6000, 600, 60, LimitedBy.RATE),
    ],
)
def test_the_limit_of_a_minute_is_a_rate(limit: int, jobs: int, expected_s: float, word: LimitedBy) -> None:
    state = replace(RATE, allowances=(allowance(Period.MINUTE, limit),))
    end = finish(Share(jobs=jobs), (), state, NOW_US, NOW_US)
    assert (end.at_us - NOW_US) / S == pytest.approx(expected_s)
    assert end.limited_by is word


def test_a_day_that_has_room_limits_nothing() -> None:
    state = replace(RATE, allowances=(allowance(Period.DAY, 10_000, 5_000),))
    assert seconds(Share(jobs=5_000), state=state) == pytest.approx(500)


def test_what_a_day_has_no_room_for_waits_until_permits_of_the_day_before_are_old() -> None:
    state = replace(RATE, allowances=(allowance(Period.DAY, 10_000, 5_000),))
    end = finish(Share(jobs=6_000), (), state, NOW_US, NOW_US)
    assert (end.at_us - NOW_US) / S == pytest.approx(DAY_S + 900, abs=1800)
    assert end.limited_by is LimitedBy.ALLOWANCE


@pytest.mark.parametrize("days", [3, 30, 300])
def test_a_mailing_of_many_days_takes_a_day_for_each_limit(days: int) -> None:
    state = replace(RATE, allowances=(allowance(Period.DAY, 10_000),))
    assert seconds(Share(jobs=10_000 * days), state=state) / DAY_S == pytest.approx(days - 1, rel=0.05, abs=0.1)


@given(
    jobs=st.integers(0, 2_000_000),
    more=st.integers(0, 1_000_000),
    used=st.integers(0, 50_000),
    limit=st.integers(1, 50_000),
    rate=st.floats(0.1, 100),
)
def test_more_jobs_never_end_earlier_and_a_limit_never_helps(
    jobs: int, more: int, used: int, limit: int, rate: float
) -> None:
    free = replace(RATE, rate=rate)
    bound = replace(free, allowances=(allowance(Period.DAY, limit, used), allowance(Period.MINUTE, limit)))
    few, many = (finish(Share(jobs=count), (), bound, NOW_US, NOW_US).at_us for count in (jobs, jobs + more))
    assert NOW_US <= few <= many
    assert finish(Share(jobs=jobs), (), free, NOW_US, NOW_US).at_us <= few


LIST = PriceList(by_region={"US": Decimal("0.045"), "DE": Decimal("0.1")}, currency="USD")
MOBILE = replace(LIST, by_prefix={"+4915": Decimal("0.3")})
GERMAN = {"DE": ["+493023125123", "+4915123125123"]}


@pytest.mark.parametrize(
    ("prices", "countries", "numbers", "amount", "unpriced", "estimated"),
    [
        (LIST, {"US": 1000}, {}, "90", 0, False),
        (LIST, {"US": 1000, "DE": 10}, {}, "92", 0, False),
        (LIST, {"US": 1000, "FR": 10, "": 1}, {}, "90", 11, False),
        (LIST, {}, {}, "0", 0, False),
        (MOBILE, {"DE": 2}, GERMAN, "0.8", 0, False),
        (MOBILE, {"DE": 200}, GERMAN, "80", 0, True),
        (MOBILE, {"DE": 200}, {}, "40", 0, True),
        (replace(MOBILE, by_region={}), {"DE": 200}, GERMAN, "60", 100, True),
    ],
)
def test_a_mailing_costs_its_pages(
    prices: PriceList,
    countries: dict[str, int],
    numbers: dict[str, list[str]],
    amount: str,
    unpriced: int,
    estimated: bool,
) -> None:
    price = MailingPrice(amount=Decimal(amount), currency="USD", unpriced=unpriced, estimated=estimated)
    assert price_of(prices, 2, countries, numbers) == price


def test_without_a_price_list_there_is_no_price() -> None:
    assert price_of(PriceList(), 2, {"US": 1}, {}) is None
