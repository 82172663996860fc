"""Valid numbers of 40 countries in six notations, and cells that hold two numbers, all generated from a seed.

The number that each text means is known, so that a number that is dialled differently can be counted.
"""

import random
from collections.abc import Callable, Iterator
from functools import cache
from typing import NamedTuple

import phonenumbers
from phonenumbers import PhoneNumberFormat, PhoneNumberType
from phonenumbers.phonemetadata import PhoneMetadata

SEED = 1_202
COUNTRIES = (
    *("US", "CA", "GB", "DE", "FR", "IT", "ES", "AT", "CH", "NL", "BE", "LU", "DK", "SE", "NO", "FI", "IE", "PT"),
    *("PL", "CZ", "SK", "HU", "RO", "BG", "GR", "TR", "RU", "UA", "IL", "ZA", "AU", "NZ", "JP", "KR", "CN", "IN"),
    *("BR", "MX", "AR", "SG"),
)
_TYPES = (PhoneNumberType.FIXED_LINE, PhoneNumberType.FIXED_LINE_OR_MOBILE)
_MAX_TRIES = 100_000


class Written(NamedTuple):
    """A number as E.164, and as it is written in a list with its country."""

    number: str
    text: str
    country: str


Notation = Callable[[phonenumbers.PhoneNumber, str], str]


def _international(number: phonenumbers.PhoneNumber, country: str) -> str:
    return phonenumbers.format_number(number, PhoneNumberFormat.INTERNATIONAL)


def _with_zeros(number: phonenumbers.PhoneNumber, country: str) -> str:
    return "00" + _international(number, country)[1:]


def _national(number: phonenumbers.PhoneNumber, country: str) -> str:
    """The usual groups of the country with the prefix of national calls, with spaces, dashes or dots between them."""
    separator = " -."[(number.national_number or 0) % 3]
    return separator.join(_groups(number))


def _in_brackets(number: phonenumbers.PhoneNumber, country: str) -> str:
    first, *rest = _groups(number)
    return f"({first}) {' '.join(rest)}" if rest else first


def _groups(number: phonenumbers.PhoneNumber) -> list[str]:
    written = phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL)
    groups = "".join(character if character.isdigit() else " " for character in written).split()
    metadata = PhoneMetadata.metadata_for_region(phonenumbers.region_code_for_number(number) or "")
    prefix = (metadata.national_prefix if metadata else "") or ""
    complete = prefix + phonenumbers.national_significant_number(number)
    # Some countries write numbers without the prefix that they dial, such as the 1 of North America.
    if "".join(groups) == complete and groups[0] == prefix and len(groups) > 1:
        return [groups[0] + groups[1], *groups[2:]]
    return groups


def _uri(number: phonenumbers.PhoneNumber, country: str) -> str:
    return phonenumbers.format_number(number, PhoneNumberFormat.RFC3966)


def _e164(number: phonenumbers.PhoneNumber, country: str) -> str:
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)


NOTATIONS: dict[str, Notation] = {
    "E.164": _e164,
    "international": _international,
    "00 prefix": _with_zeros,
    "national": _national,
    "national with brackets": _in_brackets,
    "URI": _uri,
}


@cache
def numbers(country: str, count: int) -> tuple[phonenumbers.PhoneNumber, ...]:
    """Return random fixed-line numbers of a country that the library calls valid."""
    rng = random.Random(f"{SEED} {country}")
    metadata = PhoneMetadata.metadata_for_region(country)
    if metadata is None or metadata.fixed_line is None or metadata.country_code is None:
        raise LookupError(country)
    lengths = [
        length for length in metadata.fixed_line.possible_length if length + len(str(metadata.country_code)) < 16
    ]
    valid: list[phonenumbers.PhoneNumber] = []
    for _ in range(_MAX_TRIES):
        digits = "".join(rng.choices("0123456789", k=rng.choice(lengths)))
        number = phonenumbers.PhoneNumber(
            country_code=metadata.country_code,
            national_number=int(digits),
            italian_leading_zero=digits.startswith("0") or None,
        )
        if phonenumbers.is_valid_number_for_region(number, country) and phonenumbers.number_type(number) in _TYPES:
            valid.append(number)
            if len(valid) == count:
                return tuple(valid)
    raise LookupError(f"too few valid numbers of {country}")


def written(notation: str, count: int) -> Iterator[Written]:
    """Yield ``count`` numbers of every country in a notation."""
    write = NOTATIONS[notation]
    for country in COUNTRIES:
        for number in numbers(country, count):
            yield Written(_e164(number, country), write(number, country), country)


#: what stands between two numbers, and between a number and the other end of it
JOINTS = (" / ", "/", ", ", "; ", " ", "\n", " & ", " or ", " und ", " | ", " + ")
JOINTS_OF_ENDS = ("/", " / ", "/-", ", ", " & ", " or ", " und ")
#: shorter numbers look like a group of a longer one
_MIN_PAIR_DIGITS = 6


def pairs(count: int) -> Iterator[Written]:
    """Yield cells that hold two numbers, ``count`` of every country; the second may be only an end of the first."""
    for country in COUNTRIES:
        rng = random.Random(f"{SEED} pairs {country}")
        for number in numbers(country, count):
            first = rng.choice((_international, _national, _in_brackets))(number, country)
            if len(phonenumbers.national_significant_number(number)) < _MIN_PAIR_DIGITS:
                continue
            second = first[:-1] + str((int(first[-1]) + rng.randint(1, 9)) % 10)
            forms = (
                first + rng.choice(JOINTS) + second,
                f"{first} ({second})",
                first + rng.choice(JOINTS_OF_ENDS) + second[-2:],
            )
            yield Written(_e164(number, country), rng.choice(forms), country)
