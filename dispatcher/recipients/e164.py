"""Validates numbers that are already E.164, without parsing them, and tells where and what kind they are.

One pattern for each calling code is compiled on first use, from the metadata of ``phonenumbers``. A pattern matches a
text only if the library would parse it to the same digits and call it valid, and it yields the region and the type that
the library would; a property test checks this. A text that no pattern matches is not refused: the caller asks the
library.
"""

import re
from collections.abc import Iterable

from phonenumbers import COUNTRY_CODE_TO_REGION_CODE
from phonenumbers.phonemetadata import PhoneMetadata, PhoneNumberDesc

from dispatcher.core.destinations import Destination, NumberType

#: the longest calling code, in digits (ITU-T E.164, section 6.2.1)
CALLING_CODE_DIGITS = 3

#: calling codes of no country whose calls go through a satellite: Inmarsat, and the global mobile satellite systems
_SATELLITE_CODES = frozenset({870, 881})
#: the region of calling codes that belong to no country
NO_COUNTRY = "001"

#: descriptions of the library with the type that they mean, in the order in which the library tries them
_TYPES = (
    ("premium_rate", NumberType.PREMIUM_RATE),
    ("toll_free", NumberType.TOLL_FREE),
    ("shared_cost", NumberType.SHARED_COST),
    ("voip", NumberType.VOIP),
    ("personal_number", NumberType.PERSONAL),
    ("pager", NumberType.PAGER),
    ("uan", NumberType.COMPANY),
    ("voicemail", NumberType.VOICEMAIL),
    ("fixed_line", NumberType.ORDINARY),
    ("mobile", NumberType.MOBILE),
)


def region_of_e164(text: str) -> str | None:
    """Return the region of a valid number (see ``destination_of_e164``), or None if only the library can decide."""
    destination = destination_of_e164(text)
    return destination.region if destination is not None else None


def destination_of_e164(text: str) -> Destination | None:
    """Return the region and type of a valid number, or None if only the library can decide.

    Args:
        text: A number as ``+`` and digits, with no other character.

    Returns:
        The region as ISO 3166 alpha-2 code, ``001`` for a number of no country, and the type of the number.
    """
    if text[:1] != "+":
        return None
    for end in range(2, CALLING_CODE_DIGITS + 2):
        prefix = text[:end]
        pattern = _patterns[prefix] if prefix in _patterns else _pattern(prefix)
        if pattern is not None:
            match = pattern.fullmatch(text)
            return _destinations[match.lastgroup] if match and match.lastgroup else None
    return None


#: patterns by ``+`` and the first digits of a number; None if these are no calling code
_patterns: dict[str, re.Pattern[str] | None] = {}
#: what the groups of the patterns mean
_destinations: dict[str, Destination] = {}


def _pattern(prefix: str) -> re.Pattern[str] | None:
    """Return the pattern for ``+`` and a calling code, or None if no such code is assigned."""
    digits = prefix[1:]
    # Texts that begin with no digits are not remembered, because there is no end of them.
    if not (digits.isascii() and digits.isdigit()):
        return None
    regions = COUNTRY_CODE_TO_REGION_CODE.get(int(digits)) if digits[0] != "0" else None
    pattern = _compiled(int(digits), regions) if regions else None
    if pattern is not None:
        _destinations.update((group, _destination(group, int(digits))) for group in pattern.groupindex)
    _patterns[prefix] = pattern
    return pattern


def _compiled(code: int, regions: Iterable[str]) -> re.Pattern[str]:
    plans = [_metadata(code, region) for region in regions]
    return re.compile(rf"\+{code}{_no_national_prefix(f'+{code}', plans[0])}{_regions(plans)}", re.ASCII)


def _destination(group: str, code: int) -> Destination:
    _, region, number_type = group.split("_", 2)
    return Destination(region, type_by_code(code) or NumberType(number_type))


def type_by_code(code: int) -> NumberType | None:
    """Return the type that all numbers of a calling code have because it belongs to no country, or None."""
    if code in _SATELLITE_CODES:
        return NumberType.SATELLITE
    return NumberType.INTERNATIONAL if COUNTRY_CODE_TO_REGION_CODE[code] == (NO_COUNTRY,) else None


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
    here = _valid(first)
    if first.leading_digits is None:
        return rf"(?:{here}|{_regions(rest)})" if rest else here
    mine = rf"(?={first.leading_digits}){here}"
    return rf"(?:{mine}|(?!{first.leading_digits}){_regions(rest)})" if rest else mine


def _valid(metadata: PhoneMetadata) -> str:
    """Return the pattern of national numbers that match the general description and a type, in a group for each type.

    The type of the group that matches is the type of the number.
    """
    general = metadata.general_desc
    types = ((number_type, _fits(getattr(metadata, name), general)) for name, number_type in _TYPES)
    groups = [
        rf"(?P<r{metadata.country_code}_{metadata.id}_{number_type}>{pattern})"
        for number_type, pattern in types
        if pattern
    ]
    return rf"(?={_fits(general)})(?:{'|'.join(groups)})"


def _fits(desc: PhoneNumberDesc | None, general: PhoneNumberDesc | None = None) -> str:
    """Return the pattern of a description, or "" if the region has no numbers of that type.

    Lengths that the ``general`` description has checked are not checked again.
    """
    if desc is None or not desc.national_number_pattern:
        return ""
    checked = general is not None and set(general.possible_length) == set(desc.possible_length)
    lengths = "|".join(rf"\d{{{length}}}" for length in desc.possible_length if length > 0 and not checked)
    if not lengths:
        return rf"(?:{desc.national_number_pattern})\Z"
    # Most patterns fail at the first digit, so the length comes second.
    return rf"(?=(?:{desc.national_number_pattern})\Z)(?:{lengths})\Z"
