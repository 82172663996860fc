"""Where faxes may be sent: countries, types of numbers and the price of a page."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

__all__ = ["DEFAULT_FORBIDDEN", "Destination", "DestinationRule", "DestinationRules", "NumberType", "PriceList"]


class NumberType(StrEnum):
    """What a number is, as far as its digits tell."""

    #: a fixed line, or a number that may be fixed or mobile
    ORDINARY = "ordinary"
    MOBILE = "mobile"
    TOLL_FREE = "toll_free"
    #: the callers pay more than for an ordinary call
    PREMIUM_RATE = "premium_rate"
    #: the callers pay a part of the price, which is often more than for an ordinary call
    SHARED_COST = "shared_cost"
    #: belongs to a person, and leads to another number at the price of any
    PERSONAL = "personal"
    VOIP = "voip"
    PAGER = "pager"
    #: one number for all sites of a company
    COMPANY = "company"
    VOICEMAIL = "voicemail"
    #: of a satellite network, by calling code
    SATELLITE = "satellite"
    #: of another service that belongs to no country, by calling code
    INTERNATIONAL = "international"

    @property
    def label(self) -> str:
        """The type in the plural, for sentences."""
        return f"{self.value.replace('_', '-')} numbers"


#: types that cost the sender more than a call to the country does
DEFAULT_FORBIDDEN = frozenset(
    {
        NumberType.PREMIUM_RATE,
        NumberType.SHARED_COST,
        NumberType.PERSONAL,
        NumberType.SATELLITE,
        NumberType.INTERNATIONAL,
    }
)


class Destination(NamedTuple):
    """The region of a number (ISO 3166 alpha-2, ``001`` for no country) and its type."""

    region: str
    number_type: NumberType


class DestinationRule(StrEnum):
    """The rules that can forbid a number, by their keys in the policy's table ``destinations``."""

    COUNTRIES = "countries"
    FORBIDDEN_TYPES = "forbidden_types"
    MAX_PRICE = "max_price_per_page"


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceList:
    """Prices of a page. It is false if it has no price."""

    #: by region (ISO 3166 alpha-2)
    by_region: Mapping[str, Decimal] = field(default_factory=dict)
    #: by the first digits of E.164 numbers, with ``+``
    by_prefix: Mapping[str, Decimal] = field(default_factory=dict)
    #: the currency as people read it, such as ``USD``
    currency: str = ""

    def __bool__(self) -> bool:
        return bool(self.by_region or self.by_prefix)

    def per_page(self, number: str, region: str) -> Decimal | None:
        """Return the price of a page to an E.164 number in a region, or None if the list names none.

        The longest prefix decides, and the region only if no prefix matches.
        """
        if self.by_prefix:
            for end in range(len(number), 1, -1):
                price = self.by_prefix.get(number[:end])
                if price is not None:
                    return price
        return self.by_region.get(region)


@dataclass(frozen=True, slots=True, kw_only=True)
class DestinationRules:
    """Which numbers may be dialled."""

    #: regions that may be dialled; None: all
    countries: frozenset[str] | None = None
    forbidden_types: frozenset[NumberType] = DEFAULT_FORBIDDEN
    #: highest price of a page; None: no limit. A number whose price is not known breaks it.
    max_price: Decimal | None = None
    prices: PriceList = PriceList()

    def broken_by(self, destination: Destination) -> DestinationRule | None:
        """Return the rule that forbids every number of a destination, or None. The price is another question."""
        if destination.number_type in self.forbidden_types:
            return DestinationRule.FORBIDDEN_TYPES
        if self.countries is not None and destination.region not in self.countries:
            return DestinationRule.COUNTRIES
        return None

    def is_too_expensive(self, number: str, region: str) -> bool:
        """Return whether a page to the number costs more than the rules allow, or an unknown price."""
        if self.max_price is None:
            return False
        price = self.prices.per_page(number, region)
        return price is None or price > self.max_price
