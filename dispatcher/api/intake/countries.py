"""Country columns: ISO codes, names and dialling codes to the region that ``phonenumbers`` knows."""

import unicodedata
from functools import cache, lru_cache
from importlib.resources import files

from phonenumbers import COUNTRY_CODE_TO_REGION_CODE

#: Spellings remembered per process; a file repeats a few of them.
_REMEMBERED = 1024


@lru_cache(_REMEMBERED)
def region_of_country(text: str) -> str | None:
    """Return the region (ISO 3166 alpha-2) that a country column means, or None if it means none.

    Taken are ISO 3166 alpha-2 and alpha-3 codes, names in English and often in the country's language, and dialling
    codes (``+44``, ``0044``, ``44``), whose main region counts: ``+1`` is the United States.
    """
    digits = "".join(character for character in text if character.isalnum())
    if digits.isascii() and digits.isdigit():
        return _region_of_calling_code(digits.removeprefix("00"))
    return _spellings().get(_plain(text))


def _region_of_calling_code(digits: str) -> str | None:
    # Lists of dialling codes give Caribbean ones with the area code: 1-268.
    code = digits[:1] if len(digits) == 4 and digits[0] == "1" else digits[:4]
    regions = COUNTRY_CODE_TO_REGION_CODE.get(int(code or "0"), ())
    # 001 stands for codes that belong to no country: nothing national can be dialled there.
    return regions[0] if regions and regions[0] != "001" else None


@cache
def _spellings() -> dict[str, str]:
    """Every known spelling in its plain form, to its region."""
    table = files("dispatcher.api.intake").joinpath("countries.txt").read_text(encoding="utf-8")
    spellings = {}
    for line in table.splitlines():
        if line.startswith("#"):
            continue
        alpha2, alpha3, names = line.split(" ", 2)
        for spelling in (alpha2, alpha3, *names.split(";")):
            spellings[_plain(spelling)] = alpha2
    return spellings


def _plain(text: str) -> str:
    """Letters only, without case and accents."""
    decomposed = unicodedata.normalize("NFKD", text).casefold()
    return "".join(character for character in decomposed if character.isalpha())
