"""Numbers in a usual form are read without the library, and get the answer that the library gives."""

from itertools import pairwise

import phonenumbers
from hypothesis import given
from hypothesis import strategies as st
from phonenumbers import PhoneNumberFormat

from benchmarks.notations import numbers
from dispatcher.recipients import numbers as reading
from dispatcher.recipients.dialling import dialling_rules

_AMERICAN = numbers("US", 300)


def _national(number: phonenumbers.PhoneNumber) -> str:
    return phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL)


def test_american_numbers_in_their_usual_form_need_no_library() -> None:
    # The digits of some are valid with "+" before them, too: +32 55 50 428 is a Belgian number.
    assert all(reading.plain_number(_national(number), "US") for number in _AMERICAN)
    assert reading.plain_number("(325) 555-0428", "US")


def test_area_codes_have_a_length_only_where_every_format_agrees() -> None:
    digits = {region: dialling_rules(region).area_code_digits for region in ("US", "CA", "DK", "DE", "IT", "GB")}
    assert digits == {"US": 3, "CA": 3, "DK": 2, "DE": 0, "IT": 0, "GB": 0}


@given(st.sampled_from(_AMERICAN), st.sampled_from((" ", "-", ".", "")), st.lists(st.integers(2, 9), max_size=3))
def test_any_grouping_gets_the_answer_of_the_library(
    number: phonenumbers.PhoneNumber, separator: str, ends: list[int]
) -> None:
    digits = str(number.national_number)
    edges = [0, *sorted(set(ends)), len(digits)]
    text = separator.join(digits[start:end] for start, end in pairwise(edges))
    plain = reading.plain_number(text, "US")
    if plain is not None:
        assert reading._by_library(text, "US", "US") == (plain[0], plain[1].region)
