"""Numbers of every region for property tests, and the library's plain answer about them."""

from collections import defaultdict

import phonenumbers
from hypothesis import strategies as st
from phonenumbers import NumberParseException, PhoneNumberFormat

#: Kinds of number that the library may know an example of.
_TYPES = phonenumbers.PhoneNumberType.values()


def _examples() -> dict[int, list[str]]:
    """Example numbers of every region and kind as E.164, by calling code."""
    numbers: defaultdict[int, set[str]] = defaultdict(set)
    for region in phonenumbers.SUPPORTED_REGIONS:
        for kind in _TYPES:
            number = phonenumbers.example_number_for_type(region, kind)
            if number is not None and number.country_code is not None:
                numbers[number.country_code].add(phonenumbers.format_number(number, PhoneNumberFormat.E164))
    for code in phonenumbers.COUNTRY_CODES_FOR_NON_GEO_REGIONS:
        number = phonenumbers.example_number_for_non_geo_entity(code)
        if number is not None:
            numbers[code].add(phonenumbers.format_number(number, PhoneNumberFormat.E164))
    return {code: sorted(texts) for code, texts in numbers.items()}


EXAMPLES = _examples()


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """An example number with some digits changed, and now and then one more or one less."""
    digits = list(draw(st.sampled_from(EXAMPLES[draw(st.sampled_from(sorted(EXAMPLES)))])))
    for _ in range(draw(st.integers(0, 3))):
        digits[draw(st.integers(1, len(digits) - 1))] = draw(st.sampled_from("0123456789"))
    match draw(st.integers(0, 5)):
        case 0:
            digits.insert(draw(st.integers(1, len(digits))), draw(st.sampled_from("0123456789")))
        case 1:
            digits.pop()
    return "".join(digits)


def library_answer(text: str, region: str | None = None) -> str | None:
    """The region of a valid number that is E.164 as it stands, or None."""
    try:
        number = phonenumbers.parse(text, region)
    except NumberParseException:
        return None
    same = phonenumbers.format_number(number, PhoneNumberFormat.E164) == text
    return phonenumbers.region_code_for_number(number) if same and phonenumbers.is_valid_number(number) else None
