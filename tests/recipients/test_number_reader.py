"""Destination rules apply to every number of a list, and area codes of a column of their own are joined."""

from decimal import Decimal

import phonenumbers
import pytest
from hypothesis import given, settings
from phonenumbers import PhoneNumberType

from dispatcher.core.destinations import DestinationRules, NumberType, PriceList
from dispatcher.core.job import Recipient
from dispatcher.recipients.e164 import destination_of_e164
from dispatcher.recipients.number_reader import NumberReader
from dispatcher.recipients.numbers import AcceptedNumber, RefusedNumber
from dispatcher.recipients.refusal_reasons import RefusalReason
from tests.recipients.numbers import EXAMPLES, mutated

#: types of the library by those of the rules
LIBRARY_TYPES = {
    NumberType.PREMIUM_RATE: {PhoneNumberType.PREMIUM_RATE},
    NumberType.TOLL_FREE: {PhoneNumberType.TOLL_FREE},
    NumberType.SHARED_COST: {PhoneNumberType.SHARED_COST},
    NumberType.VOIP: {PhoneNumberType.VOIP},
    NumberType.PERSONAL: {PhoneNumberType.PERSONAL_NUMBER},
    NumberType.PAGER: {PhoneNumberType.PAGER},
    NumberType.COMPANY: {PhoneNumberType.UAN},
    NumberType.VOICEMAIL: {PhoneNumberType.VOICEMAIL},
    NumberType.ORDINARY: {PhoneNumberType.FIXED_LINE, PhoneNumberType.FIXED_LINE_OR_MOBILE},
    NumberType.MOBILE: {PhoneNumberType.MOBILE},
}


def has_type_of_library(text: str) -> bool:
    destination = destination_of_e164(text)
    if destination is None:
        return True
    if destination.region == "001":
        code = phonenumbers.parse(text).country_code
        return destination.number_type is (NumberType.SATELLITE if code in (870, 881) else NumberType.INTERNATIONAL)
    return phonenumbers.number_type(phonenumbers.parse(text)) in LIBRARY_TYPES[destination.number_type]


@pytest.mark.parametrize("calling_code", sorted(EXAMPLES))
def test_examples_of_every_calling_code_have_the_type_of_the_library(calling_code: int) -> None:
    assert all(map(has_type_of_library, EXAMPLES[calling_code]))


@settings(max_examples=400)
@given(mutated())
def test_a_mutated_number_has_the_type_of_the_library(text: str) -> None:
    assert has_type_of_library(text)


@pytest.mark.parametrize(
    ("text", "country", "what"),
    [
        ("+19005550143", "", "premium-rate"),
        ("900-555-0143", "US", "premium-rate"),
        ("0900 1 123456", "DE", "premium-rate"),
        ("+44 909 879 0123", "", "premium-rate"),
        ("0180 2 123456", "DE", "shared-cost"),
        ("+44 843 555 0123", "", "premium-rate"),
        ("070 1234 5678", "GB", "personal"),
        ("0700 12345678", "DE", "personal"),
        ("+1 500 234 5678", "", "personal"),
        ("+870 773 111 632", "", "satellite"),
        ("+881 612 345 678", "", "satellite"),
        ("00 881 612 345 678", "DE", "satellite"),
        ("+882 16 12345678", "", "international"),
        ("+883 510 012 345", "", "international"),
        ("+979 123 456 789", "", "international"),
        ("+808 1234 5678", "", "international"),
        ("+800 1234 5678", "", "international"),
        ("+888 123 456 789 01", "", "international"),
        ("+878 101 234 567 890", "", "international"),
    ],
)
def test_a_number_of_a_dear_type_is_refused_with_the_rule(text: str, country: str, what: str) -> None:
    result = NumberReader().read(text, country)
    assert isinstance(result, RefusedNumber), result
    assert result.reason is RefusalReason.NUMBER_TYPE_NOT_ALLOWED
    assert result.sentence == f"The policy forbids {what} numbers (destinations.forbidden_types)."


def test_a_policy_without_forbidden_types_takes_them_all() -> None:
    numbers = NumberReader(None, DestinationRules(forbidden_types=frozenset()))
    assert numbers.read("+19005550143") == AcceptedNumber("+19005550143", "US")
    assert numbers.read("+870773111632") == AcceptedNumber("+870773111632", "001")


def test_a_country_that_may_not_be_dialled_is_refused_with_the_rule() -> None:
    numbers = NumberReader("US", DestinationRules(countries=frozenset({"US"})))
    assert isinstance(numbers.read("202-555-0143"), AcceptedNumber)
    for text, country in (("+442079460958", ""), ("020 7946 0958", "GB"), ("+1 416 555 0143", "")):
        result = numbers.read(text, country)
        assert isinstance(result, RefusedNumber)
        assert result.reason is RefusalReason.COUNTRY_NOT_ALLOWED
        assert "destinations.countries" in result.sentence


def test_a_number_whose_page_costs_too_much_is_refused_with_the_rule() -> None:
    prices = PriceList(by_region={"US": Decimal("0.05"), "DE": Decimal("0.1")}, currency="USD")
    numbers = NumberReader("US", DestinationRules(max_price=Decimal("0.07"), prices=prices))
    assert isinstance(numbers.read("+12025550143"), AcceptedNumber)
    dear, unknown = numbers.read("030 23125-123", "DE"), numbers.read("+442079460958")
    assert isinstance(dear, RefusedNumber)
    assert isinstance(unknown, RefusedNumber)
    assert dear.sentence == "A page costs 0.1 USD, and the policy allows 0.07 (destinations.max_price_per_page)."
    assert "has no price for this number" in unknown.sentence
    assert dear.reason is unknown.reason is RefusalReason.PRICE_TOO_HIGH


@pytest.mark.parametrize(
    ("text", "country", "area_code", "expected"),
    [
        ("23125123", "49", "30", "+493023125123"),
        ("23125123", "DE", "030", "+493023125123"),
        ("23125-123", "DE", "(030)", "+493023125123"),
        ("23125/123", "DE", "0", RefusalReason.LOST_ZERO),
        ("555-0143", "US", "202", "+12025550143"),
        ("202-555-0143", "US", "202", "+12025550143"),
        ("+1 202-555-0143", "", "202", "+12025550143"),
        ("030 23125-123", "DE", "030", "+493023125123"),
        ("7946 0958", "GB", "20", "+442079460958"),
        ("7946 0958", "GB", "020", "+442079460958"),
        ("1234 5678", "IT", "06", "+390612345678"),
        ("Fax: 23125123", "DE", "030", "+493023125123"),
        ("212345", "DE", "04921", "+494921212345"),
        ("212345", "DE", "4921", "+494921212345"),
        ("030 23125-123", "DE", "040", RefusalReason.AREA_CODE),
        ("+49 40 23125123", "DE", "030", RefusalReason.AREA_CODE),
        ("30 23125123", "DE", "30", RefusalReason.AREA_CODE),
        ("202-555-0143", "US", "303", RefusalReason.AREA_CODE),
        ("23125123", "DE", "Berlin", RefusalReason.AREA_CODE),
        ("23125-123/124", "DE", "030", RefusalReason.TWO_NUMBERS),
        ("", "DE", "030", RefusalReason.EMPTY),
    ],
)
def test_an_area_code_of_its_own_belongs_to_the_number(
    text: str, country: str, area_code: str, expected: str | RefusalReason
) -> None:
    result = NumberReader().read(text, country, area_code)
    assert (result.number if isinstance(result, AcceptedNumber) else result.reason) == expected


def test_a_recipient_that_was_read_before_is_judged_by_the_rules_of_now() -> None:
    numbers = NumberReader(None, DestinationRules(countries=frozenset({"US"})))
    assert numbers.refused_recipient(Recipient(line=2, number="+12025550143", region="US")) is None
    row = numbers.refused_recipient(Recipient(line=3, number="+442079460958", region="GB"))
    assert row is not None
    assert (row.line, row.reason) == (3, "country_not_allowed")


@pytest.mark.parametrize(
    "rules",
    [
        DestinationRules(),
        DestinationRules(countries=frozenset({"US", "DE"})),
        DestinationRules(forbidden_types=frozenset({NumberType.MOBILE, NumberType.TOLL_FREE})),
        DestinationRules(
            max_price=Decimal("0.05"), prices=PriceList(by_region={"US": Decimal("0.04")}, currency="EUR")
        ),
    ],
    ids=["default", "countries", "types", "price"],
)
def test_the_short_way_for_numbers_in_e164_allows_what_the_long_way_allows(rules: DestinationRules) -> None:
    reader = NumberReader("US", rules)
    short = 0
    for text in [*(number for numbers in EXAMPLES.values() for number in numbers), "", "+", "2025550143"] * 2:
        region = reader.allowed_region(text)
        result = reader.read(text)
        short += region is not None
        assert region is None or result == AcceptedNumber(text, region)
    assert short > 0 or rules.max_price is not None
