"""Converts fax numbers, as people and databases write them, to E.164.

``phonenumbers`` decides which numbers are valid. This module adds what the library does not know: how spreadsheets
damage numbers, which texts are not numbers, and that a fax cannot dial an extension. A text of digits and separators is
validated without parsing (see ``e164``), with the same result.
"""

import re
import unicodedata
from functools import cache
from typing import NamedTuple

import phonenumbers
from phonenumbers import NumberParseException, ValidationResult, shortnumberinfo
from phonenumbers.phonemetadata import PhoneMetadata

from dispatcher.recipients.countries import region_of_country
from dispatcher.recipients.e164 import region_of_e164
from dispatcher.recipients.refusal_reasons import RefusalReason


class AcceptedNumber(NamedTuple):
    """A number that can be dialled, as E.164, and its region (ISO 3166 alpha-2, ``001`` for no country)."""

    number: str
    region: str


class RefusedNumber(NamedTuple):
    """The reason why a text is not a fax number, as a code and as a sentence."""

    reason: RefusalReason
    sentence: str


#: longest number that is reported as a short number; a longer one has lost digits
_SHORT_NUMBER_DIGITS = 6

#: a pattern that matches nothing
_NEVER = "(?!)"
_SEPARATORS = dict.fromkeys(map(ord, " -./()\t\u00a0"))
_SCIENTIFIC = re.compile(r"\+?\d+(?:[.,]\d+)?[eE]\s?\+?\d+")
_DECIMAL = re.compile(r"\d{6,}[.,]0{1,2}")
_QUOTED = re.compile(r"=?\"(.*)\"|'(.*)", re.DOTALL)
_LABEL = re.compile(
    r"(?:tel|telefon|telephone|phone|fax|telefax|[ft])\s*(?:no|nr|number|nummer)?\s*[.:]*\s*(?=[+(\d])", re.IGNORECASE
)
_EXTENSION = re.compile(
    r"\d[\s.,;(\[-]*"
    r"(?:x|#|[,;]+|ext(?:ension|n)?|durchwahl|dw|nst|nebenstelle|klappe|poste|interno?|anexo|ramal)"
    r"[\s.:=-]*\d{1,7}[\s)\]]*",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"\(?\+?[\d\s().\-/]*\d[\d\s().\-/]*")

_LENGTHS = {
    ValidationResult.TOO_SHORT: "The number is too short for its country.",
    ValidationResult.TOO_LONG: "The number is too long for its country.",
    ValidationResult.IS_POSSIBLE_LOCAL_ONLY: "The number has no area code.",
}


def normalize_number(text: str, country: str = "", default_region: str | None = None) -> AcceptedNumber | RefusedNumber:
    """Convert a number to E.164, or return why it cannot be dialled.

    ``00`` is read as ``+`` unless the country has another prefix for international calls. ``011`` is read as ``+`` only
    in countries that use it, because elsewhere area codes begin with it.

    Args:
        text: The number as written.
        country: The country of the row as written (see ``region_of_country``); international numbers need none.
        default_region: The region (ISO 3166 alpha-2) of numbers whose row has no country.
    """
    region = region_of_e164(text)
    if region is not None:
        return AcceptedNumber(text, region)
    home = region_of_country(country) if country and not country.isspace() else default_region
    return _plain_digits(text, home) or _by_library(text, country, home)


def _refuse(reason: RefusalReason, sentence: str = "") -> RefusedNumber:
    return RefusedNumber(reason, sentence or reason.sentence)


def _plain_digits(text: str, home: str | None) -> AcceptedNumber | None:
    """Validate a text of digits and separators without parsing; None if the library has to decide."""
    digits = text.translate(_SEPARATORS)
    if not digits.isascii() or not digits.removeprefix("+").isdigit() or text.endswith((".0", ".00")):
        return None
    number = digits if digits[0] == "+" else _international(digits, home)
    region = region_of_e164(number)
    return AcceptedNumber(number, region) if region is not None else None


def _international(digits: str, home: str | None) -> str:
    """Return digits with ``+`` and the calling code before them, or "" if only the library can do it."""
    rules = _dialling_rules(home) if home else None
    if rules is not None and rules.international_prefix.pattern != "00" and rules.international_prefix.match(digits):
        return ""
    if digits.startswith("00"):
        return "+" + digits[2:]
    if rules is None or not rules.is_main_region:
        return ""
    trunk = rules.trunk_prefix.match(digits)
    if trunk is None:
        return rules.code + digits
    if trunk.lastindex or rules.national_number.fullmatch(digits):
        return ""
    return rules.code + digits[trunk.end() :]


class _DiallingRules(NamedTuple):
    """Dialling rules of a region, as patterns."""

    #: ``+`` and the calling code
    code: str
    #: prefix of international calls
    international_prefix: re.Pattern[str]
    #: prefix of national calls, which E.164 leaves out
    trunk_prefix: re.Pattern[str]
    #: a national number without prefix
    national_number: re.Pattern[str]
    #: whether the library applies the rules of this region to all numbers of its calling code
    is_main_region: bool


@cache
def _dialling_rules(region: str) -> _DiallingRules:
    metadata = PhoneMetadata.metadata_for_region(region)
    if metadata is None or metadata.country_code is None or metadata.general_desc is None:
        raise LookupError(f"phonenumbers has no metadata for region {region}")
    return _DiallingRules(
        code=f"+{metadata.country_code}",
        international_prefix=re.compile(metadata.international_prefix or _NEVER),
        trunk_prefix=re.compile(metadata.national_prefix_for_parsing or _NEVER),
        national_number=re.compile(metadata.general_desc.national_number_pattern or _NEVER),
        is_main_region=phonenumbers.region_code_for_country_code(metadata.country_code) == region,
    )


def _by_library(text: str, country: str, home: str | None) -> AcceptedNumber | RefusedNumber:
    """Refuse a text that is not a number, and let the library decide about any other."""
    cleaned = _clean(text)
    reason = _not_dialable(cleaned)
    if reason is not None:
        return _refuse(reason)
    dialled = _with_plus(cleaned, home)
    if home is None and "+" not in dialled:
        return _refuse(RefusalReason.UNKNOWN_COUNTRY if country.strip() else RefusalReason.NO_COUNTRY)
    try:
        parsed = phonenumbers.parse(dialled, home)
    except NumberParseException as error:
        return _unparsed(error)
    return _judged(parsed, home)


def _clean(text: str) -> str:
    """Remove spreadsheet quoting, a label and invisible characters from around a number."""
    cleaned = text if text.isascii() else "".join(map(_ascii, text))
    quoted = _QUOTED.fullmatch(cleaned.strip())
    if quoted:
        cleaned = quoted.group(1) or quoted.group(2) or ""
    return _LABEL.sub("", cleaned.strip(), count=1) if cleaned.strip()[:1].isalpha() else cleaned.strip()


def _ascii(character: str) -> str:
    """Return a digit, dash, space or full-width sign of any script as ASCII, and "" for a format character."""
    digit = unicodedata.decimal(character, None)
    if digit is not None:
        return str(digit)
    match unicodedata.category(character):
        case "Cf":
            return ""
        case "Pd":
            return "-"
        case "Zs":
            return " "
    # NFKC would turn the superscript of a footnote into a digit of the number
    return {"\uff0b": "+", "\u2212": "-", "\uff08": "(", "\uff09": ")", "\uff0e": "."}.get(character, character)


def _not_dialable(cleaned: str) -> RefusalReason | None:
    if not cleaned:
        return RefusalReason.EMPTY
    if _SCIENTIFIC.fullmatch(cleaned) or _DECIMAL.fullmatch(cleaned) or not cleaned.strip("#"):
        return RefusalReason.DAMAGED_BY_SPREADSHEET
    if _EXTENSION.search(cleaned):
        return RefusalReason.EXTENSION
    return None if _NUMBER.fullmatch(cleaned) else RefusalReason.NOT_A_NUMBER


def _with_plus(cleaned: str, home: str | None) -> str:
    """Replace a leading ``00`` with ``+`` unless it has another meaning in the country."""
    digits = cleaned.translate(_SEPARATORS)
    if digits.startswith("00") and (home is None or not _dialling_rules(home).international_prefix.match(digits)):
        return "+" + digits[2:]
    return cleaned


def _unparsed(error: NumberParseException) -> RefusedNumber:
    match error.error_type:
        case NumberParseException.INVALID_COUNTRY_CODE:
            return _refuse(
                RefusalReason.UNKNOWN_COUNTRY, "No country has the calling code that the number begins with."
            )
        case NumberParseException.TOO_LONG:
            return _refuse(RefusalReason.IMPOSSIBLE, "The number is too long for a phone number.")
        case NumberParseException.TOO_SHORT_NSN | NumberParseException.TOO_SHORT_AFTER_IDD:
            return _refuse(RefusalReason.IMPOSSIBLE, "The number is too short for a phone number.")
    return _refuse(RefusalReason.NOT_A_NUMBER)


def _judged(parsed: phonenumbers.PhoneNumber, home: str | None) -> AcceptedNumber | RefusedNumber:
    if parsed.extension:
        return _refuse(RefusalReason.EXTENSION)
    region = phonenumbers.region_code_for_number(parsed)
    if region is not None and phonenumbers.is_valid_number_for_region(parsed, region):
        return AcceptedNumber(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164), region)
    if _is_short(parsed, home):
        return _refuse(RefusalReason.SHORT_NUMBER)
    length = phonenumbers.is_possible_number_with_reason(parsed)
    if length != ValidationResult.IS_POSSIBLE:
        return _refuse(RefusalReason.IMPOSSIBLE, _LENGTHS.get(length, ""))
    return _refuse(RefusalReason.INVALID)


def _is_short(parsed: phonenumbers.PhoneNumber, home: str | None) -> bool:
    digits = phonenumbers.national_significant_number(parsed)
    if home is None or len(digits) > _SHORT_NUMBER_DIGITS:
        return False
    return shortnumberinfo.is_valid_short_number_for_region(parsed, home)
