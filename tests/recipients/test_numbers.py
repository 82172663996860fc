"""Numbers as people and databases write them become E.164 or are refused for the right reason."""

import re

import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from phonenumbers import NumberParseException, PhoneNumberFormat

from dispatcher.recipients.numbers import AcceptedNumber, RefusedNumber, normalize_number
from dispatcher.recipients.refusal_reasons import RefusalReason
from tests.recipients.numbers import mutated


@pytest.mark.parametrize(
    ("text", "country", "expected"),
    [
        ("+442079460958", "", "+442079460958"),
        ("+44 20 7946 0958", "", "+442079460958"),
        ("+44 (0)20 7946 0958", "", "+442079460958"),
        ("0044 20 7946 0958", "", "+442079460958"),
        ("0044 (0) 20-7946-0958", "GB", "+442079460958"),
        ("0044 20 7946 0958", "US", "+442079460958"),
        ("011 44 20 7946 0958", "US", "+442079460958"),
        ("011-44-20-7946-0958", "Canada", "+442079460958"),
        ("0011 44 20 7946 0958", "AU", "+442079460958"),
        ("020 7946 0958", "GB", "+442079460958"),
        ("020 7946 0958", "United Kingdom", "+442079460958"),
        ("020 7946 0958", "+44", "+442079460958"),
        ("020 7946 0958", "0044", "+442079460958"),
        ("(020) 7946.0958", "44", "+442079460958"),
        ("0113 496 0123", "GB", "+441134960123"),
        ("(202) 555-0143", "USA", "+12025550143"),
        ("1-202-555-0143", "us", "+12025550143"),
        ("202.555.0143", "1", "+12025550143"),
        ("030/23125-123", "Deutschland", "+493023125123"),
        ("01.99.00.12.34", "FRA", "+33199001234"),
        ("tel:+44-20-7946-0958", "", "+442079460958"),
        ("Fax: +44 20 7946 0958", "", "+442079460958"),
        ("Fax No. 020 7946 0958", "GB", "+442079460958"),
        ("'+442079460958", "", "+442079460958"),
        ('="+442079460958"', "", "+442079460958"),
        ("\uff0b\uff14\uff14 20 7946 0958", "", "+442079460958"),
        ("\u202a+44\u00a020\u20117946\u20130958\u202c", "", "+442079460958"),
        ("\u0660\u0662\u0660 7946 0958", "GB", "+442079460958"),
        ("+44 20 7946 0958", "Narnia", "+442079460958"),
        ("  +44 20 7946 0958\t", "DE", "+442079460958"),
    ],
)
def test_a_number_in_any_usual_notation_becomes_e164(text: str, country: str, expected: str) -> None:
    result = normalize_number(text, country)
    assert isinstance(result, AcceptedNumber), result
    assert result.number == expected


@pytest.mark.parametrize(
    ("text", "country", "reason"),
    [
        ("", "GB", RefusalReason.EMPTY),
        (" \u00a0", "GB", RefusalReason.EMPTY),
        ('=""', "GB", RefusalReason.EMPTY),
        ("n/a", "GB", RefusalReason.NOT_A_NUMBER),
        ("-", "GB", RefusalReason.NOT_A_NUMBER),
        ("call me: +1 202 555 0143", "", RefusalReason.NOT_A_NUMBER),
        ("1-800-555-FAXX", "US", RefusalReason.NOT_A_NUMBER),
        ("+44 20 7946 0958 +44 20 7946 0959", "", RefusalReason.TWO_NUMBERS),
        ("020 7946 0958\u00b2", "GB", RefusalReason.NOT_A_NUMBER),
        ("5", "GB", RefusalReason.NOT_A_NUMBER),
        ("020 7946 0958 x12", "GB", RefusalReason.EXTENSION),
        ("+1 202 555 0143 ext. 5", "", RefusalReason.EXTENSION),
        ("+1 (202) 555-0143 (Ext 5)", "", RefusalReason.EXTENSION),
        ("030 23125-0 Durchwahl 12", "DE", RefusalReason.EXTENSION),
        ("tel:+442079460958;ext=5", "", RefusalReason.EXTENSION),
        ("+442079460958#12", "", RefusalReason.EXTENSION),
        ("+442079460958,,12", "", RefusalReason.EXTENSION),
        ("020 7946 0958", "Narnia", RefusalReason.UNKNOWN_COUNTRY),
        ("020 7946 0958", "+999", RefusalReason.UNKNOWN_COUNTRY),
        ("+999 20 7946 0958", "", RefusalReason.UNKNOWN_COUNTRY),
        ("020 7946 0958", "", RefusalReason.NO_COUNTRY),
        ("442079460958", "", RefusalReason.NO_COUNTRY),
        ("011 44 20 7946 0958", "", RefusalReason.NO_COUNTRY),
        ("+44 20 7946", "", RefusalReason.IMPOSSIBLE),
        ("+44 20 7946 0958 0958", "", RefusalReason.IMPOSSIBLE),
        ("7946 0958", "GB", RefusalReason.IMPOSSIBLE),
        ("+44 1", "", RefusalReason.IMPOSSIBLE),
        ("+1 555 123 4567", "", RefusalReason.INVALID),
        ("(111) 555-0143", "US", RefusalReason.INVALID),
        ("112", "DE", RefusalReason.SHORT_NUMBER),
        ("911", "US", RefusalReason.SHORT_NUMBER),
        ("999", "GB", RefusalReason.SHORT_NUMBER),
        ("4.42079E+11", "GB", RefusalReason.DAMAGED_BY_SPREADSHEET),
        ("4,42079E+11", "DE", RefusalReason.DAMAGED_BY_SPREADSHEET),
        ("442079460958.0", "GB", RefusalReason.DAMAGED_BY_SPREADSHEET),
        ("2025550143.0", "US", RefusalReason.DAMAGED_BY_SPREADSHEET),
        ("########", "GB", RefusalReason.DAMAGED_BY_SPREADSHEET),
    ],
)
def test_what_cannot_be_dialled_is_refused_for_its_reason(text: str, country: str, reason: RefusalReason) -> None:
    result = normalize_number(text, country)
    assert isinstance(result, RefusedNumber), result
    assert result.reason is reason
    assert result.sentence.endswith(".")


def test_every_reason_has_a_sentence() -> None:
    for reason in RefusalReason:
        assert reason.sentence.endswith(".")


def test_the_default_region_counts_where_the_row_names_no_country() -> None:
    assert normalize_number("020 7946 0958", " ", "GB") == AcceptedNumber("+442079460958", "GB")
    assert normalize_number("030 23125-123", "DE", "GB") == AcceptedNumber("+493023125123", "DE")


def test_digits_that_name_a_country_abroad_are_never_taken_from_an_area_code() -> None:
    """0114 498... is Sheffield; read as the American 011 it would ring in Germany."""
    assert normalize_number("0114 498 0123", "GB") == AcceptedNumber("+441144980123", "GB")
    assert isinstance(normalize_number("0114 498 0123"), RefusedNumber)


FORMATS = (PhoneNumberFormat.E164, PhoneNumberFormat.INTERNATIONAL, PhoneNumberFormat.NATIONAL)


@settings(max_examples=600)
@given(mutated(), st.sampled_from(FORMATS), st.booleans(), st.booleans())
def test_a_formatted_number_gets_the_answer_of_the_library(text: str, style: int, bare: bool, at_home: bool) -> None:
    """Right and wrong numbers in every notation; those that begin with 00 are ours to judge and have tests above."""
    try:
        number = phonenumbers.parse(text)
        region = phonenumbers.region_code_for_country_code(number.country_code or 0)
        home = region if at_home and region in phonenumbers.SUPPORTED_REGIONS else None
        written = phonenumbers.format_number(number, style)
        written = re.sub(r"[^\d+]", "", written) if bare else written
        expected = phonenumbers.parse(written, home)
    except NumberParseException:
        return
    if written.startswith("00") or re.search(r"[^\d+().\s/-]", written):
        return
    result = normalize_number(written, "", home)
    if not phonenumbers.is_valid_number(expected):
        assert isinstance(result, RefusedNumber)
    elif isinstance(result, RefusedNumber):
        assert has_other_reading(written, home, result.reason)
    else:
        e164 = phonenumbers.format_number(expected, PhoneNumberFormat.E164)
        assert result == AcceptedNumber(e164, phonenumbers.region_code_for_number(expected) or "")


def has_other_reading(written: str, home: str | None, reason: RefusalReason) -> bool:
    """Whether a valid number that is refused for a reason can be read in another way, too."""
    digits = re.sub(r"[^\d+]", "", written)
    match reason:
        case RefusalReason.CALLING_CODE | RefusalReason.OTHER_COUNTRY:
            return is_valid("+" + digits.lstrip("0"), None)
        case RefusalReason.LOST_ZERO:
            return is_valid("0" + digits, home) or len(digits) <= 8
        case RefusalReason.DAMAGED_BY_SPREADSHEET:
            return re.fullmatch(r"\d+[./-]\d+[./-]\d+", written) is not None
    return reason is RefusalReason.TWO_NUMBERS and len(digits) > 12 and " " in written


def is_valid(text: str, home: str | None) -> bool:
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(text, home))
    except NumberParseException:
        return False


@given(st.text(max_size=60), st.text(max_size=10))
def test_any_text_gets_an_answer(text: str, country: str) -> None:
    result = normalize_number(text, country, "GB")
    assert isinstance(result, AcceptedNumber | RefusedNumber)
    if isinstance(result, AcceptedNumber):
        assert re.fullmatch(r"\+[1-9]\d{3,14}", result.number, re.ASCII)
