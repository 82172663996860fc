"""Finds the region that a country column means: ISO codes, names and dialling codes.

``countries.txt`` has one line for each region that ``phonenumbers`` supports. The codes and the first name are those
of ISO 3166-1. The other names are spellings seen in customer data: short forms, names in the country's own language and
those of frequent countries in German, French, Spanish, Italian and Dutch, former names.
No package has these, so the file is maintained in this repository.

To renew it, update ``phonenumbers``, run ``tests/recipients/test_countries.py``, which names the regions that have no
line, and add a line for each with the codes of the ISO Online Browsing Platform. To accept another spelling, append it
to the line of its country.
"""

import unicodedata
from functools import cache, lru_cache
from importlib.resources import files

from phonenumbers import COUNTRY_CODE_TO_REGION_CODE

#: spellings that a process caches; a file repeats a few of them
_REMEMBERED = 1024


@lru_cache(_REMEMBERED)
def region_of_country(text: str) -> str | None:
    """Return the region (ISO 3166 alpha-2) that a country column means, or None if it means none.

    It knows ISO 3166 alpha-2 and alpha-3 codes, names in English and often in the country's language, and dialling
    codes (``+44``, ``0044``, ``44``). A dialling code means its main region: ``+1`` is the United States.
    """
    digits = "".join(character for character in text if character.isalnum())
    if digits.isascii() and digits.isdigit():
        return _region_of_calling_code(digits.removeprefix("00"))
    codes, names = _spellings()
    # Codes are compared without removing punctuation: "N/A" is not Namibia.
    return codes.get(text.strip().upper()) or names.get(_plain(text))


def _region_of_calling_code(digits: str) -> str | None:
    # Lists of dialling codes write those of the Caribbean with the area code: 1-268.
    code = digits[:1] if len(digits) == 4 and digits[0] == "1" else digits[:4]
    regions = COUNTRY_CODE_TO_REGION_CODE.get(int(code or "0"), ())
    # 001 marks codes of no country: they have no national numbers.
    return regions[0] if regions and regions[0] != "001" else None


@cache
def _spellings() -> tuple[dict[str, str], dict[str, str]]:
    """Return the regions by ISO code, and by the plain form of their names."""
    table = files("dispatcher.recipients").joinpath("countries.txt").read_text(encoding="utf-8")
    codes: dict[str, str] = {}
    names: dict[str, str] = {}
    for line in table.splitlines():
        if line.startswith("#"):
            continue
        alpha2, alpha3, spellings = line.split(" ", 2)
        codes |= {alpha2: alpha2, alpha3: alpha2}
        names |= {_plain(spelling): alpha2 for spelling in spellings.split(";")}
    return codes, names


def _plain(text: str) -> str:
    """Return the letters of a text, without case and accents."""
    decomposed = unicodedata.normalize("NFKD", text).casefold()
    return "".join(character for character in decomposed if character.isalpha())
