"""Destination rules: countries, types of numbers, and the price of a page."""

import tomllib
from decimal import Decimal

import pytest

from dispatcher.core.destinations import Destination, DestinationRule, DestinationRules, NumberType, PriceList
from dispatcher.core.policy.policy import policy_from

PRICES = PriceList(
    by_region={"DE": Decimal("0.07"), "US": Decimal("0.045")},
    by_prefix={"+49": Decimal("0.08"), "+4915": Decimal("0.19"), "+49152": Decimal("0.20")},
    currency="USD",
)


@pytest.mark.parametrize(
    ("number", "region", "price"),
    [
        ("+12025550143", "US", "0.045"),
        ("+493023125123", "DE", "0.08"),
        ("+4915112345678", "DE", "0.19"),
        ("+4915212345678", "DE", "0.20"),
        ("+442079460958", "GB", None),
    ],
)
def test_the_longest_prefix_decides_and_then_the_region(number: str, region: str, price: str | None) -> None:
    assert PRICES.per_page(number, region) == (Decimal(price) if price else None)


def test_only_a_list_with_prices_is_a_price_list() -> None:
    assert PRICES
    assert not PriceList(currency="USD")


def test_a_price_above_the_limit_is_too_expensive_and_an_unknown_one_too() -> None:
    rules = DestinationRules(max_price=Decimal("0.08"), prices=PRICES)
    assert not rules.is_too_expensive("+493023125123", "DE")
    assert rules.is_too_expensive("+4915112345678", "DE")
    assert rules.is_too_expensive("+442079460958", "GB")
    assert not DestinationRules(prices=PRICES).is_too_expensive("+442079460958", "GB")


@pytest.mark.parametrize("number_type", NumberType)
def test_what_costs_more_than_a_call_to_the_country_is_forbidden_by_default(number_type: NumberType) -> None:
    dear = number_type in ("premium_rate", "shared_cost", "personal", "satellite", "international")
    rule = DestinationRules().broken_by(Destination("DE", number_type))
    assert rule is (DestinationRule.FORBIDDEN_TYPES if dear else None)


def test_a_country_that_is_not_listed_breaks_the_rule() -> None:
    rules = DestinationRules(countries=frozenset({"US", "CA"}))
    assert rules.broken_by(Destination("CA", NumberType.ORDINARY)) is None
    assert rules.broken_by(Destination("DE", NumberType.ORDINARY)) is DestinationRule.COUNTRIES


def test_a_policy_file_sets_the_rules_and_the_prices_exactly() -> None:
    rules = policy_from(
        tomllib.loads(
            '[destinations]\ncountries = ["US"]\nforbidden_types = []\nmax_price_per_page = 0.1\n'
            '[prices]\ncurrency = "EUR"\nUS = 0.1\n"+1900" = 2'
        )
    ).destinations
    assert rules.countries == frozenset({"US"})
    assert rules.forbidden_types == frozenset()
    assert not rules.is_too_expensive("+12025550143", "US")
    assert rules.is_too_expensive("+19005550143", "US")
    assert rules.prices.currency == "EUR"
