"""Column names, as customers write them, to what a row needs."""

import re
import unicodedata
from collections.abc import Sequence
from operator import itemgetter
from typing import NamedTuple

from dispatcher.api.intake.rows import Row

#: Names of the fax number, best first: a file with "Fax" and "Phone" means the fax.
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

_NOT_IN_NAMES = re.compile(r"[\W_]+")


class Columns(NamedTuple):
    """Where in a row the number, the country, the reference and the other fields are; -1 for none."""

    number: int
    country: int
    reference: int
    field_names: tuple[str, ...]
    field_indexes: tuple[int, ...]
    width: int

    def row(self, line: int, values: Sequence[str]) -> Row:
        """Make a row of exactly ``width`` values."""
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
    """Find the columns by their names, without regard to case, spaces and punctuation; None without a number."""
    plain = [_plain(name) for name in names]
    number, country, reference = (_best(plain, wanted) for wanted in (NUMBER_NAMES, COUNTRY_NAMES, REFERENCE_NAMES))
    if number < 0:
        return None
    others = tuple(i for i in range(len(names)) if i not in (number, country, reference))
    titles = tuple(names[i].strip() or f"column {i + 1}" for i in others)
    return Columns(number, country, reference, titles, others, len(names))


def duplicate_name(names: Sequence[str]) -> str | None:
    """Return the first column name that occurs twice, or None."""
    seen = set()
    for name in names:
        plain = _plain(name) or name.strip()
        if plain and plain in seen:
            return name.strip()
        seen.add(plain)
    return None


def _plain(name: str) -> str:
    return _NOT_IN_NAMES.sub("", unicodedata.normalize("NFC", name).casefold())


def _best(names: Sequence[str], wanted: Sequence[str]) -> int:
    """Index of the column with the earliest of the wanted names, or -1."""
    found = set(names)
    return next((names.index(name) for name in wanted if name in found), -1)
