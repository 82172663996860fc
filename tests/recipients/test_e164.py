"""The fast check for E.164 texts agrees with the library that it stands in for."""

import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher.recipients.e164 import region_of_e164
from tests.recipients.numbers import EXAMPLES, library_answer, mutated


@pytest.mark.parametrize("calling_code", sorted(phonenumbers.COUNTRY_CODE_TO_REGION_CODE))
def test_examples_of_every_calling_code_get_the_library_answer_or_none(calling_code: int) -> None:
    examples = EXAMPLES[calling_code]
    for text in examples:
        assert region_of_e164(text) in (library_answer(text), None)
    settled = [text for text in examples if region_of_e164(text) is not None]
    assert settled, "the fast check settles nothing for this calling code"


@settings(max_examples=800)
@given(mutated())
def test_a_mutated_number_is_accepted_only_as_the_library_accepts_it(text: str) -> None:
    region = region_of_e164(text)
    assert region is None or region == library_answer(text)


@settings(max_examples=300)
@given(st.text(alphabet="+0123456789 ٣３", max_size=18))
def test_any_text_is_accepted_only_as_the_library_accepts_it(text: str) -> None:
    region = region_of_e164(text)
    assert region is None or region == library_answer(text)


@pytest.mark.parametrize(
    ("text", "region"),
    [
        ("+12025550143", "US"),
        ("+442079460958", "GB"),
        ("+493023125123", "DE"),
        ("+80012345678", "001"),
        ("+442079460958\n", None),
        ("+4420794609581", None),
        ("+0442079460958", None),
        ("442079460958", None),
        ("+", None),
        ("", None),
    ],
)
def test_the_region_is_named_only_for_a_whole_valid_number(text: str, region: str | None) -> None:
    assert region_of_e164(text) == region
