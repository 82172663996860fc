"""Validates numbers that are already E.164, without parsing them.

One pattern for each calling code is compiled on first use, from the metadata of ``phonenumbers``. A pattern matches a
text only if the library would parse it to the same digits and call it valid, and it yields the region that the library
would; a property test checks this. A text that no pattern matches is not refused: the caller asks the library.
"""

import re
from functools import cache

from phonenumbers import COUNTRY_CODE_TO_REGION_CODE
from phonenumbers.phonemetadata import PhoneMetadata, PhoneNumberDesc

#: the longest calling code, in digits (ITU-T E.164, section 6.2.1)
CALLING_CODE_DIGITS = 3

_TYPES = (
    "fixed_line",
    "mobile",
    "premium_rate",
    "toll_free",
    "shared_cost",
    "voip",
    "personal_number",
    "pager",
    "uan",
    "voicemail",
)


def region_of_e164(text: str) -> str | None:
    """Return the region of a valid number, or None if only the library can decide.

    Args:
        text: A number as ``+`` and digits, with no other character.

    Returns:
        The region as ISO 3166 alpha-2 code, ``001`` for a number of no country.
    """
    for end in range(2, CALLING_CODE_DIGITS + 2):
        pattern = _pattern(text[:end])
        if pattern is not None:
            match = pattern.fullmatch(text)
            return match.lastgroup.removeprefix("r") if match and match.lastgroup else None
    return None


@cache
def _pattern(prefix: str) -> re.Pattern[str] | None:
    """Return the pattern for ``+`` and a calling code, or None if no such code is assigned."""
    digits = prefix[1:]
    if prefix[:1] != "+" or not (digits.isascii() and digits.isdigit()) or digits[0] == "0":
        return None
    regions = COUNTRY_CODE_TO_REGION_CODE.get(int(digits))
    if regions is None:
        return None
    plans = [_metadata(int(digits), region) for region in regions]
    return re.compile(rf"\+{digits}{_no_national_prefix(prefix, plans[0])}{_regions(plans)}", re.ASCII)


def _metadata(calling_code: int, region: str) -> PhoneMetadata:
    metadata = PhoneMetadata.metadata_for_region_or_calling_code(calling_code, region)
    if metadata is None:
        raise LookupError(f"phonenumbers has no metadata for region {region} of +{calling_code}")
    return metadata


def _no_national_prefix(prefix: str, main: PhoneMetadata) -> str:
    """Return a lookahead that excludes numbers of which the library may strip or rewrite leading digits."""
    rule = main.national_prefix_for_parsing
    # Some rules match the empty text; only a match that goes past the calling code changes the number.
    return rf"(?!(?:{rule})(?<!\{prefix}))" if rule else ""


def _regions(plans: list[PhoneMetadata]) -> str:
    """Return a pattern that tries regions in the library's order; a region's leading digits decide, if it has any."""
    first, rest = plans[0], plans[1:]
    here = rf"(?P<r{first.id}>{_valid(first)})"
    if first.leading_digits is None:
        return rf"(?:{here}|{_regions(rest)})" if rest else here
    mine = rf"(?={first.leading_digits}){here}"
    return rf"(?:{mine}|(?!{first.leading_digits}){_regions(rest)})" if rest else mine


def _valid(metadata: PhoneMetadata) -> str:
    """Return the pattern of national numbers that match the general description and at least one type."""
    types = (_fits(getattr(metadata, name)) for name in _TYPES)
    return rf"(?={_fits(metadata.general_desc)})(?:{'|'.join(pattern for pattern in types if pattern)})"


def _fits(desc: PhoneNumberDesc | None) -> str:
    """Return the pattern of a description, or "" if the region has no numbers of that type."""
    if desc is None or not desc.national_number_pattern:
        return ""
    lengths = "|".join(rf"\d{{{length}}}" for length in desc.possible_length if length > 0)
    return (rf"(?=(?:{lengths})\Z)" if lengths else "") + rf"(?:{desc.national_number_pattern})\Z"
