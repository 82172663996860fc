"""What the values of a column say about the country of the numbers beside it, whatever its heading says.

A list with "Market" or "Prefix" beside national numbers means another country than the default one. A value counts if
it is a calling code, an ISO 3166 code, a country's name or a locale.
"""

import re
from collections.abc import Iterable, Sequence
from enum import Enum, auto
from functools import lru_cache
from typing import NamedTuple

from phonenumbers import country_code_for_region

from dispatcher.recipients.columns import vocabulary as v
from dispatcher.recipients.columns.headings import plain, words_of
from dispatcher.recipients.countries import region_of_country
from dispatcher.recipients.dialling import resolve

#: values that a process caches, and characters of the longest one that is looked at
_REMEMBERED, _CHARACTERS = 4096, 60
_CALLING_CODE = re.compile(r"\(?(?:\+|00)?\s?[1-9][0-9]{0,2}\)?|\(?\+?1[ -]?[2-9][0-9]{2}\)?")
_WITH_PREFIX = ("+", "00", "(+", "(00")
_LOCALE = re.compile(r"[a-z]{2,3}[-_](?:[A-Za-z]{4}[-_])?([A-Za-z]{2})(?:\.[A-Za-z0-9-]+)?")
#: a part of a country (ISO 3166-2): "US-CA"
_SUBDIVISION = re.compile(r"([A-Z]{2})-[A-Z0-9]{1,3}")
#: a code with its name: "DE - Germany", "Germany (DE)"
_BOTH = re.compile(r"([^(),/:|-]+?)\s*[(,/:|-]\s*([^(),/:|-]+?)\)?")
#: values that say nothing
_NOTHING = frozenset({"", "na", "none", "null", "unknown", "unbekannt", "nan", "nil"})
_INTERNATIONAL = re.compile(r"[^0-9+]*(?:\+|00)")


class Form(Enum):
    """How a value writes a country."""

    #: a calling code with ``+`` or ``00``
    CALLING_CODE = auto()
    #: a calling code that could be any number: "49"
    DIGITS = auto()
    #: a calling code of a single digit
    DIGIT = auto()
    ISO_CODE = auto()
    NAME = auto()
    LOCALE = auto()
    #: a code that is a usual word too: "NO", "MS"
    WORD = auto()


class Country(NamedTuple):
    """The country that a value means."""

    region: str
    calling_code: int
    form: Form


class CountryColumn(NamedTuple):
    """A column that nobody uses and that may say the country, with the forms of values that count in it."""

    position: int
    forms: frozenset[Form]
    #: whether its heading speaks of something like a country
    hinted: bool


_ALL = frozenset(Form)
_CODES = frozenset({Form.CALLING_CODE, Form.DIGITS})
_WORDS = v.TRUE_TEXTS | v.FALSE_TEXTS | v.HONORIFICS


def is_international(number: str) -> bool:
    """Return whether a number as written needs no country."""
    return bool(_INTERNATIONAL.match(number))


@lru_cache(_REMEMBERED)
def country_of_value(text: str) -> Country | None:
    """Return the country that a value means, or None if it means none."""
    text = text.strip()
    if not text or len(text) > _CHARACTERS:
        return None
    if _CALLING_CODE.fullmatch(text):
        digits = sum(map(str.isdigit, text))
        form = Form.CALLING_CODE if text.startswith(_WITH_PREFIX) else Form.DIGITS if digits > 1 else Form.DIGIT
        return _country(region_of_country(text), form)
    subdivision, locale = _SUBDIVISION.fullmatch(text), _LOCALE.fullmatch(text)
    if subdivision is not None:
        return _country(region_of_country(subdivision.group(1)), Form.LOCALE)
    if locale is not None:
        return _country(region_of_country(locale.group(1)), Form.LOCALE)
    return _country_of_words(text)


def _country_of_words(text: str) -> Country | None:
    if any(map(str.isdigit, text)):
        return None
    both = _BOTH.fullmatch(text)
    if both is not None:
        first, second = map(region_of_country, both.groups())
        return _country(first, Form.NAME) if first == second else None
    if len(text) > _ISO_CHARACTERS:
        return _country(region_of_country(text), Form.NAME)
    if not text.isalpha() or not (text.isupper() or text.islower()):
        return None  # "Mr" is not Mauritania
    return _country(region_of_country(text), Form.WORD if plain(text) in _WORDS else Form.ISO_CODE)


#: characters of the longest ISO 3166 code
_ISO_CHARACTERS = 3


def _country(region: str | None, form: Form) -> Country | None:
    return Country(region, country_code_for_region(region), form) if region is not None else None


def is_calling_code(text: str) -> bool:
    """Return whether a value is a calling code with ``+`` or ``00``."""
    country = country_of_value(text)
    return country is not None and country.form is Form.CALLING_CODE


def country_column(position: int, heading: str, values: Iterable[str], *, is_country: bool) -> CountryColumn | None:
    """Return a column if its values may be countries: all of them, or some if its heading hints at it."""
    words = frozenset(words_of(heading))
    hinted = is_country or bool(words & v.COUNTRY_HINTS)
    forms = _ALL if hinted else _forms_under(words)
    said = [country_of_value(value) for value in values if plain(value) not in _NOTHING]
    counted = [country for country in said if country is not None and country.form in forms]
    is_clear = any(country.form is not Form.WORD for country in counted)
    if (is_clear and (hinted or len(counted) == len(said))) or (hinted and not said):
        return CountryColumn(position, forms, hinted)
    return None


def _forms_under(words: frozenset[str]) -> frozenset[Form]:
    """Return the forms of values that count under a heading. A state "CA" is not Canada, an age "49" not Germany."""
    forms = _ALL if words & v.CODE else _ALL - {Form.DIGIT}
    if words & v.STATE or words & v.STATES:
        forms = _CODES
    elif words & v.PERSONS:
        forms = _CODES | {Form.LOCALE}
    elif words & v.LANGUAGES:
        forms = forms - {Form.ISO_CODE, Form.NAME}
    return forms - {Form.DIGITS} if words & v.QUANTITIES else forms


def other_country(
    columns: Sequence[CountryColumn], values: Sequence[str], number: str, country: str, home: str
) -> int | None:
    """Return the column that says another country than is assumed for a national number, or None.

    Args:
        columns: The columns that may say one.
        values: The values of the row.
        number: The number as written.
        country: The country of the row as written; beside it, only a calling code with its prefix counts.
        home: The region of rows without a country, or empty; without any, no number is dialled.
    """
    region = region_of_country(country) if country.strip() else home
    if not region or is_international(number):
        return None
    assumed = country_code_for_region(region)
    for column in columns:
        said = country_of_value(values[column.position])
        if said is None or said.calling_code == assumed or said.form not in column.forms:
            continue
        if said.form is not Form.CALLING_CODE and country.strip():
            continue
        # under any heading, "49", "PA" or "Jordan" may mean something else, unless the number is valid in that country
        if column.hinted or said.form is Form.CALLING_CODE or resolve(number, said.region) is not None:
            return column.position
    return None
