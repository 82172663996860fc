"""The tables ``destinations`` and ``prices`` of a policy file: where faxes may be sent, and what a page costs."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import TypeVar

from dispatcher.core.destinations import DestinationRule, DestinationRules, NumberType, PriceList
from dispatcher.core.policy.document import PolicyError, check_keys, checked_table, convert, text

T = TypeVar("T")

_REGION = re.compile(r"[A-Z]{2}|001")
_PREFIX = re.compile(r"\+[1-9][0-9]{0,14}")
_CURRENCY = "currency"
_TYPES = tuple(number_type for number_type in NumberType if number_type is not NumberType.ORDINARY)
#: no page of any call costs as much
_MAX_PRICE = 10_000


def destinations_from(destinations: object, prices: object) -> DestinationRules:
    """The rules about destinations. Raises PolicyError naming the key."""
    table = checked_table("destinations", destinations)
    check_keys("destinations", table, tuple(DestinationRule))
    rules = DestinationRules(prices=_prices(prices))
    if DestinationRule.COUNTRIES in table:
        rules = replace(rules, countries=frozenset(_items(table, DestinationRule.COUNTRIES, _region)))
    if DestinationRule.FORBIDDEN_TYPES in table:
        rules = replace(rules, forbidden_types=frozenset(_items(table, DestinationRule.FORBIDDEN_TYPES, _type)))
    if DestinationRule.MAX_PRICE in table:
        path = f"destinations.{DestinationRule.MAX_PRICE}"
        if not rules.prices:
            raise PolicyError(f"{path} needs a price list: write the prices of a page into the table [prices]")
        rules = replace(rules, max_price=convert(path, _price, table[DestinationRule.MAX_PRICE]))
    return rules


def _items(table: Mapping[str, object], key: str, converter: Callable[[object], T]) -> list[T]:
    path, value = f"destinations.{key}", table[key]
    if not isinstance(value, list):
        raise PolicyError(f"{path} must be a list, not {value!r}")
    return [convert(path, converter, item) for item in value]


def _region(value: object) -> str:
    if not isinstance(value, str) or not _REGION.fullmatch(value):
        raise ValueError(f"{value!r} is not an ISO 3166 code of two capital letters, such as DE")
    return value


def _type(value: object) -> NumberType:
    if value not in _TYPES:
        raise ValueError(f"{value!r} is not a type of numbers; types: {', '.join(_TYPES)}")
    return NumberType(str(value))


def _price(value: object) -> Decimal:
    is_number = isinstance(value, int | float | Decimal) and not isinstance(value, bool)
    # written so that a NaN is refused too
    if not is_number or not 0 <= value <= _MAX_PRICE:  # type: ignore[operator]  # just checked
        raise ValueError(f"{value!r} is not a price from 0 to {_MAX_PRICE:,}")
    return Decimal(str(value))


def _prices(section: object) -> PriceList:
    table = checked_table("prices", section)
    by_region: dict[str, Decimal] = {}
    by_prefix: dict[str, Decimal] = {}
    for key, value in table.items():
        if key == _CURRENCY:
            continue
        if not _REGION.fullmatch(key) and not _PREFIX.fullmatch(key):
            raise PolicyError(f'prices.{key}: write an ISO 3166 code such as DE, or a prefix such as "+4915"')
        (by_prefix if key.startswith("+") else by_region)[key] = convert(f"prices.{key}", _price, value)
    currency = convert(f"prices.{_CURRENCY}", text, table.get(_CURRENCY, ""))
    if table and not currency:
        raise PolicyError(f'prices.{_CURRENCY} is missing: write the currency of the prices, such as "USD"')
    return PriceList(by_region=by_region, by_prefix=by_prefix, currency=currency)
