"""Prices of faxes: exact sums, and text that is no price."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.core.job import FaxFate, Record, State
from dispatcher.core.prices import CURRENCIES, MAX_PRICE, UNITS, amount_text, arrived, cost_of, read_price
from tests.core.settlement.samples import entry


@pytest.mark.parametrize(
    ("amount", "currency", "price"),
    [
        ("0.045", "USD", (4_500, "USD")),
        ("0.045", " eur ", (4_500, "EUR")),
        ("0", "USD", (0, "USD")),
        ("12", "GBP", (1_200_000, "GBP")),
        ("1e-2", "USD", (1_000, "USD")),
        ("0.000014", "USD", (1, "USD")),
        ("42949", "JPY", (4_294_900_000, "JPY")),
        ("", "USD", (0, "")),
        ("0.045", "", (0, "")),
        ("0.045", "BTC", (0, "")),
        ("-1", "USD", (0, "")),
        ("NaN", "USD", (0, "")),
        ("Infinity", "USD", (0, "")),
        ("1e999999", "USD", (0, "")),
        ("1e-99999999999999999999", "USD", (0, "")),
        ("42950", "USD", (0, "")),
        ("free", "USD", (0, "")),
        ("1" * 41, "USD", (0, "")),
    ],
)
def test_a_price_is_read_exactly_or_not_at_all(amount: str, currency: str, price: tuple[int, str]) -> None:
    assert read_price(amount, currency) == price


@pytest.mark.parametrize(
    ("units", "text"), [(0, "0.00"), (4_500, "0.045"), (450_000, "4.50"), (1, "0.00001"), (-10_000, "-0.10")]
)
def test_amounts_have_two_decimals_at_least(units: int, text: str) -> None:
    assert amount_text(units) == text


@given(st.integers(0, MAX_PRICE))
def test_an_amount_survives_its_text(units: int) -> None:
    text = amount_text(units)
    assert Decimal(text) * UNITS == units
    assert units > MAX_PRICE // UNITS * UNITS or read_price(text, "USD") == (units, "USD")


@given(st.text(max_size=50), st.sampled_from([*CURRENCIES, "XXX"]))
def test_any_text_is_a_price_or_none(amount: str, currency: str) -> None:
    price, known = read_price(amount, currency)
    assert 0 <= price <= MAX_PRICE
    assert known in (currency, "")


def test_positions_of_currencies_stay() -> None:
    """Records keep them: whoever changes this test changes what is stored."""
    assert len(CURRENCIES) == len(set(CURRENCIES)) <= 256
    assert [CURRENCIES.index(name) for name in ("AED", "EUR", "USD", "ZWG")] == [1, 43, 141, 155]


def test_a_job_costs_what_all_its_faxes_cost() -> None:
    record = Record(state=State.DELIVERED, fax_id="F3", pages_sent=2, price=9_000, currency="USD")
    history = [
        entry(FaxFate.FAILED, "F1", price=100, currency="USD", pages_sent=1),
        entry(FaxFate.UNFINISHED, "F2", pages_sent=5),
        entry(FaxFate.PAGES_ARRIVED, "F2", price=7, currency="EUR", pages_sent=2),
        entry(None),
    ]
    assert arrived(record, history).pages == 5
    assert cost_of(record, history) == {"EUR": "0.00007", "USD": "0.091"}
    adopted = Record(state=State.DELIVERED, fax_id="F2", pages_sent=2)
    assert cost_of(adopted, history) == {"EUR": "0.00007", "USD": "0.001"}
