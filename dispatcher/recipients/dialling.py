"""How numbers are dialled in a region, and what a text of digits and separators stands for there."""

import re
from functools import cache
from typing import NamedTuple

import phonenumbers
from phonenumbers import NumberParseException
from phonenumbers.phonemetadata import PhoneMetadata

from dispatcher.recipients.e164 import region_of_e164

#: a pattern that matches nothing
_NEVER = "(?!)"
_NOT_DIALLED = re.compile(r"[^0-9+]+")
#: the first group of a format of the library, if it has a fixed number of digits
_FIRST_GROUP = re.compile(r"\(\\d\{(\d+)\}\)")
#: lengths of fixed lines of a plan in which digits of another country can be valid by chance: Germany has 11
_MANY_LENGTHS = 5


class AcceptedNumber(NamedTuple):
    """A number that can be dialled, as E.164, and its region (ISO 3166 alpha-2, ``001`` for no country)."""

    number: str
    region: str


class DiallingRules(NamedTuple):
    """Dialling rules of a region, as patterns."""

    #: calling code, as digits
    code: str
    #: prefix of international calls
    international_prefix: re.Pattern[str]
    #: prefix of national calls, which E.164 leaves out
    trunk_prefix: re.Pattern[str]
    #: the usual one of these prefixes, as digits; "" if national calls need none
    usual_trunk_prefix: str
    #: a national number without prefix
    national_number: re.Pattern[str]
    #: whether numbers of the region can begin with a zero that E.164 has too, or with a longer prefix that has one
    has_leading_zeros: bool
    #: the longest number of a fixed line, in digits
    longest_fixed_line: int
    #: whether numbers of fixed lines have so many lengths that the length says little about a number
    has_any_length: bool
    #: the longest number of a mobile, in digits
    longest_mobile: int
    #: whether the library applies the rules of this region to all numbers of its calling code
    is_main_region: bool
    #: digits of the first group of every number as it is written in the region: 3 in North America; 0 if that varies
    area_code_digits: int

    @property
    def keeps_leading_zero(self) -> bool:
        """Whether a number is the same with and without a zero before it, because the zero is only dialled."""
        return self.usual_trunk_prefix == "0" or not self.has_leading_zeros


@cache
def dialling_rules(region: str) -> DiallingRules:
    """Return the rules of a region that the library supports."""
    metadata = PhoneMetadata.metadata_for_region(region)
    if metadata is None or metadata.country_code is None or metadata.general_desc is None:
        raise LookupError(f"phonenumbers has no metadata for region {region}")
    fixed, mobile = metadata.fixed_line, metadata.mobile
    main_region = phonenumbers.region_code_for_country_code(metadata.country_code)
    return DiallingRules(
        code=str(metadata.country_code),
        international_prefix=re.compile(metadata.international_prefix or _NEVER),
        trunk_prefix=re.compile(metadata.national_prefix_for_parsing or _NEVER),
        usual_trunk_prefix=metadata.national_prefix or "",
        national_number=re.compile(metadata.general_desc.national_number_pattern or _NEVER),
        has_leading_zeros=_has_leading_zeros(metadata),
        longest_fixed_line=max(fixed.possible_length, default=0) if fixed else 0,
        has_any_length=fixed is not None and len(fixed.possible_length) >= _MANY_LENGTHS,
        longest_mobile=max(mobile.possible_length, default=0) if mobile else 0,
        is_main_region=main_region == region,
        area_code_digits=_area_code_digits(main_region),
    )


def _area_code_digits(main_region: str) -> int:
    """Return how many digits the first group of numbers has in all formats of a calling code, or 0 if they differ."""
    metadata = PhoneMetadata.metadata_for_region(main_region)
    formats = metadata.number_format if metadata else []
    first_groups = {match.group(1) if (match := _FIRST_GROUP.match(form.pattern or "")) else "" for form in formats}
    first_group = first_groups.pop() if len(first_groups) == 1 else ""
    return int(first_group or 0)


def _has_leading_zeros(metadata: PhoneMetadata) -> bool:
    described = (metadata.fixed_line, metadata.mobile, metadata.toll_free)
    examples = [desc.example_number or "" for desc in described if desc is not None]
    return (metadata.national_prefix or "").startswith("0") or any(number.startswith("0") for number in examples)


def is_international(digits: str, home: str | None) -> bool:
    """Return whether digits begin with ``+``, or with a prefix of international calls from the region."""
    if digits.startswith("+"):
        return True
    if home is not None and dialling_rules(home).international_prefix.match(digits):
        return True
    return digits.startswith("00")


def with_plus(text: str, home: str | None) -> str:
    """Replace a leading ``00`` with ``+`` unless it has another meaning in the region."""
    digits = _NOT_DIALLED.sub("", text)
    if digits.startswith("00") and (home is None or not dialling_rules(home).international_prefix.match(digits)):
        return "+" + digits[2:]
    return text


def parsed(text: str, home: str | None) -> phonenumbers.PhoneNumber | NumberParseException:
    """Return the library's reading of a number as it is dialled in the region, or why it has none."""
    try:
        return phonenumbers.parse(with_plus(text, home), home)
    except NumberParseException as error:
        return error


def accepted(number: phonenumbers.PhoneNumber) -> AcceptedNumber | None:
    """Return a parsed number if it is valid."""
    region = phonenumbers.region_code_for_number(number)
    if region is None or not phonenumbers.is_valid_number_for_region(number, region):
        return None
    return AcceptedNumber(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164), region)


def resolve(text: str, home: str | None) -> AcceptedNumber | None:
    """Return the valid number that digits and separators stand for in the region, or None."""
    digits = _NOT_DIALLED.sub("", text)
    region = region_of_e164(digits)
    if region is not None:
        return AcceptedNumber(digits, region)
    if home is None and not is_international(digits, home):
        return None
    if digits.startswith("00") and (of_plus := resolve("+" + digits[2:], None)):
        return of_plus
    number = parsed(digits, home)
    return None if isinstance(number, NumberParseException) else accepted(number)


def resolve_as_dialled(digits: str, home: str) -> AcceptedNumber | None:
    """Return the valid number that digits reach if they are dialled in the region as they stand, or None."""
    try:
        return accepted(phonenumbers.parse(digits, home))
    except NumberParseException:
        return None
