"""What other columns of a row show about its country: telephone numbers, postal codes, tax numbers, IBAN, addresses.

A number in national form is dialled in the default country. Where all that the row shows is of another country, and the
number is valid there too, nobody can be sure.
"""

import re
from collections.abc import Sequence
from enum import Enum, auto
from functools import lru_cache
from typing import NamedTuple

from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, country_code_for_region

from dispatcher.recipients.columns import vocabulary as v
from dispatcher.recipients.columns.headings import plain, read_heading, words_of
from dispatcher.recipients.columns.values import is_international
from dispatcher.recipients.countries import region_of_country
from dispatcher.recipients.dialling import resolve
from dispatcher.recipients.e164 import CALLING_CODE_DIGITS, NO_COUNTRY

#: values that a process caches, and characters of the longest one that is looked at
_REMEMBERED, _CHARACTERS = 4096, 200
#: characters of the shortest name of a country at the end of an address; a shorter text may be a state
_NAME_CHARACTERS = 4
_TELEPHONE = re.compile(r"[^0-9+]{0,20}(?:\+|00)[\s(]*([1-9][0-9]{0,2})[0-9\s().\-/]{6,}")
_POSTAL_CODE = re.compile(r"([A-Z]{1,3})\s?-\s?[0-9]{3,6}\b")
_TAX_NUMBER = re.compile(r"([A-Z]{2})(?=(?:[A-Z]*[0-9]){7})[A-Z0-9]{7,13}")
_IBAN = re.compile(r"([A-Z]{2})[0-9]{2}[A-Z0-9]{10,30}")
_GAPS = re.compile(r"[\s./-]+")
#: prefixes of postal codes and tax numbers that are no ISO 3166 codes
_PREFIXES = {
    "D": "DE",
    "A": "AT",
    "F": "FR",
    "I": "IT",
    "E": "ES",
    "B": "BE",
    "L": "LU",
    "P": "PT",
    "S": "SE",
    "N": "NO",
    "H": "HU",
    "FL": "LI",
    "FIN": "FI",
    "IRL": "IE",
    "SLO": "SI",
    "EL": "GR",
    "XI": "GB",
}


class ClueKind(Enum):
    """What the values of a column are."""

    TELEPHONE = auto()
    POSTAL_CODE = auto()
    TAX_NUMBER = auto()
    IBAN = auto()
    ADDRESS = auto()


class Clue(NamedTuple):
    """A column that nobody uses and whose values may show a country."""

    position: int
    kind: ClueKind


def kind_of(heading: str) -> ClueKind | None:
    """Return what the values of a column are, or None if they show no country."""
    words = frozenset(words_of(heading))
    if read_heading(heading).phone:
        return ClueKind.TELEPHONE
    if "iban" in words:
        return ClueKind.IBAN
    if words & v.TAX or plain(heading).startswith("ustid"):
        return ClueKind.TAX_NUMBER
    if words & v.OTHER_CHANNELS - v.POSTAL:
        return None
    if words & v.POSTAL_CODES:
        return ClueKind.POSTAL_CODE
    return ClueKind.ADDRESS if words & v.ADDRESS_WORDS else None


def other_country_of(clues: Sequence[Clue], values: Sequence[str], number: str, home: str) -> tuple[int, str] | None:
    """Return the column that shows another country than a national number is dialled in, and its region, or None.

    Args:
        clues: The columns that may show one.
        values: The values of the row.
        number: The number as written, behind its area code.
        home: The region in which it would be dialled.
    """
    other = None
    for position, kind in clues:
        value = values[position]
        if not value or (kind is ClueKind.TELEPHONE and "+" not in value and "00" not in value):
            continue
        region = _region_of(kind, value)
        if region is None:
            continue
        if country_code_for_region(region) == country_code_for_region(home):
            return None
        if other is None and not is_international(number) and resolve(number, region) is not None:
            other = position, region
    return other


@lru_cache(_REMEMBERED)
def _region_of(kind: ClueKind, value: str) -> str | None:
    """Return the region that a value shows, or None."""
    if len(value) > _CHARACTERS:
        return None
    match kind:
        case ClueKind.TELEPHONE:
            return _of_telephone(value)
        case ClueKind.POSTAL_CODE:
            code = _POSTAL_CODE.match(value.strip())
        case ClueKind.TAX_NUMBER:
            code = _TAX_NUMBER.fullmatch(_GAPS.sub("", value))
        case ClueKind.IBAN:
            code = _IBAN.fullmatch(_GAPS.sub("", value))
        case ClueKind.ADDRESS:
            return _of_address(value)
    if code is None:
        return None
    return _PREFIXES.get(code.group(1)) or region_of_country(code.group(1))


def _of_telephone(value: str) -> str | None:
    number = _TELEPHONE.match(value)
    if number is None:
        return None
    digits = "".join(filter(str.isdigit, value[number.start(1) :]))
    for end in range(1, CALLING_CODE_DIGITS + 1):
        regions = COUNTRY_CODE_TO_REGION_CODE.get(int(digits[:end]))
        if regions:
            return regions[0] if regions[0] != NO_COUNTRY else None
    return None


def _of_address(value: str) -> str | None:
    """Return the region of a country's name behind the last comma or line break of an address."""
    *before, last = re.split(r"[,;\n]", value.strip())
    name = last.strip().rstrip(".")
    return region_of_country(name) if before and len(name) >= _NAME_CHARACTERS and not name[0].isdigit() else None
