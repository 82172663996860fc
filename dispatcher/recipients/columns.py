"""Finds the columns of a row by the names that customers give them."""

import re
import unicodedata
from collections.abc import Collection, Sequence
from operator import itemgetter
from typing import NamedTuple

from dispatcher.recipients.rows import Row

#: names of the fax number, best first: in a file with "Fax" and "Phone", "Fax" is the number to use
NUMBER_NAMES = (
    *("faxnumber", "fax", "faxno", "faxnr", "faxnum", "faxnummer", "telefax", "telefaxnumber", "telefaxnummer"),
    *("telefaxno", "telefaxnr", "telecopie", "télécopie", "numerodefax", "numérodefax", "recipientfax", "businessfax"),
    *("number", "recipient", "recipientnumber", "to", "destination", "phonenumber", "phone", "phoneno", "telephone"),
    *("telephonenumber", "telefon", "telefonnummer", "tel", "e164", "msisdn"),
)
COUNTRY_NAMES = (
    *("countrycode", "country", "countryiso", "countryiso2", "isocountry", "isocode", "iso2", "iso", "ländercode"),
    *("länderkennzeichen", "land", "staat", "pays", "país", "pais", "paese"),
)
REFERENCE_NAMES = (
    *("reference", "referenceid", "ref", "externalid", "extid", "customerid", "customernumber", "customerno"),
    *("customerref", "customer", "clientid", "accountid", "kundennummer", "kundennr", "kundenid", "recipientid", "id"),
)

#: columns of a list, with number, country and reference, and characters of a column's name
MAX_COLUMNS, MAX_NAME_CHARACTERS = 300, 200

_NOT_IN_NAMES = re.compile(r"[\W_]+")


class Columns(NamedTuple):
    """Positions of the columns in a row of ``width`` values; ``country`` and ``reference`` are -1 if missing."""

    number: int
    country: int
    reference: int
    field_names: tuple[str, ...]
    field_indexes: tuple[int, ...]
    width: int

    def row(self, line: int, values: Sequence[str]) -> Row:
        """Return the row that ``values`` contain; there must be exactly ``width`` of them."""
        return Row(
            line,
            values[self.number],
            values[self.country] if self.country >= 0 else "",
            values[self.reference] if self.reference >= 0 else "",
            self._others(values),
        )

    def _others(self, values: Sequence[str]) -> dict[str, str]:
        match self.field_indexes:
            case ():
                return {}
            case (index,):
                return {self.field_names[0]: values[index]}
        return dict(zip(self.field_names, itemgetter(*self.field_indexes)(values), strict=True))


def find_columns(names: Sequence[str]) -> Columns | None:
    """Find the columns by name, ignoring case, spaces and punctuation; None if no name is one of the fax number."""
    plain = [_plain(name) for name in names]
    number, country, reference = (_best(plain, known) for known in (NUMBER_NAMES, COUNTRY_NAMES, REFERENCE_NAMES))
    if number < 0:
        return None
    others = tuple(index for index in range(len(names)) if index not in (number, country, reference))
    other_names = tuple(names[index].strip() or f"column {index + 1}" for index in others)
    return Columns(number, country, reference, other_names, others, len(names))


def fault_of(names: Collection[str]) -> str | None:
    """Return a sentence that says why a list cannot have these columns, or None. Every row is stored with the names."""
    if len(names) > MAX_COLUMNS:
        return f"There are {len(names):,} columns; a list may have {MAX_COLUMNS}."
    longest = max(map(len, names), default=0)
    if longest > MAX_NAME_CHARACTERS:
        return f"A column's name has {longest:,} characters; it may have {MAX_NAME_CHARACTERS}."
    return None


def duplicate_name(names: Sequence[str]) -> str | None:
    """Return the first name that repeats an earlier one, ignoring case, spaces and punctuation, or None."""
    seen = set()
    for name in names:
        plain = _plain(name) or name.strip()
        if plain and plain in seen:
            return name.strip()
        seen.add(plain)
    return None


def _plain(name: str) -> str:
    return _NOT_IN_NAMES.sub("", unicodedata.normalize("NFC", name).casefold())


def _best(names: Sequence[str], known: Sequence[str]) -> int:
    """Return the index of the column whose name comes first in ``known``, or -1."""
    present = set(names)
    return next((names.index(name) for name in known if name in present), -1)
