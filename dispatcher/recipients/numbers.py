"""Converts fax numbers, as people and databases write them, to E.164.

``phonenumbers`` decides which numbers are valid. This package adds what the library does not know: how spreadsheets
damage numbers, which texts are not numbers or could mean more than one, and that a fax cannot dial an extension. A text
of digits and separators in a usual form is validated without parsing (see ``e164``), with the same result.
"""

import re

import phonenumbers
from phonenumbers import NumberParseException, ValidationResult, shortnumberinfo

from dispatcher.core.destinations import Destination
from dispatcher.recipients.ambiguous import (
    Cell,
    fault_of_form,
    fault_of_invalid,
    fault_of_meaning,
    may_be_foreign,
    with_calling_code,
    without_trunk_zero,
)
from dispatcher.recipients.countries import region_of_country
from dispatcher.recipients.dialling import AcceptedNumber, DiallingRules, dialling_rules, parsed, resolve
from dispatcher.recipients.e164 import destination_of_e164
from dispatcher.recipients.number_text import MAX_CHARACTERS, clean, says_telephone
from dispatcher.recipients.refusal_reasons import RefusalReason, RefusedNumber

__all__ = ["AcceptedNumber", "RefusedNumber", "home_region", "normalize_number"]

#: longest number that is reported as a short number; a longer one has lost digits
_SHORT_NUMBER_DIGITS = 6
#: digits up to which a national number with separators may be a date, or lack its area code
_DATE_OR_LOCAL_DIGITS = 8
#: characters of the longest E.164 number that is surely not two numbers
_SURELY_SINGLE = 13

_SEPARATORS = dict.fromkeys(map(ord, " -.()\u00a0"))
#: groups of digits that can be joined: no slash, no single digit before the others, brackets only around the first
#: group, and not grouped like an amount
_USUAL_FORM = re.compile(
    r"(?![1-9][0-9]{0,2}([ .])[0-9]{3}(?:\1[0-9]{3})+(?:\1[0-9]{1,2})?\Z)"
    r"(?:\+[0-9]|\([0-9]{2,}\)[ .-]?|[0-9]{2})[0-9]*(?:[ .\u00a0-]{1,3}[0-9]+)*"
)
_SCIENTIFIC = re.compile(r"[+-]?\d+(?:[.,]\d+)?\s?(?:[eE]|[xX*\u00d7]\s?10\s?\^)\s?[+-]?\d+")
_DECIMAL = re.compile(r"\d{6,}[.,]0{1,2}")
_SPREADSHEET_ERROR = re.compile(r"#+|#[A-Z0-9/]{1,12}[!?]?", re.IGNORECASE)
_DATE = re.compile(
    r"(?:0?[1-9]|[12]\d|3[01])([./-])(?:0?[1-9]|[12]\d|3[01])\1(?:19|20)\d\d|(?:19|20)\d\d([./-])(?:0?[1-9]|1[0-2])\2[0-3]\d"
)
_AMOUNT = re.compile(r"[1-9]\d{0,2}(?:[,'_]\d{2,3}){2,}(?:[,'_]\d)?(?:\.0{1,2})?")

_WORDS = re.compile(r"[^\W\d_]+")
#: characters of words that a sentence quotes, and digits of a cell that may be a number
_SHOWN_CHARACTERS, _FEWEST_DIGITS = 40, 5

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
    home = home_region(country, default_region)
    plain = plain_number(text, home)
    if plain is not None:
        number, destination = plain
        return AcceptedNumber(number, destination.region)
    if len(text) > MAX_CHARACTERS:
        return _refuse(RefusalReason.NUMBER_TOO_LONG)
    return _by_library(text, country, home)


def home_region(country: str, default_region: str | None) -> str | None:
    """Return the region of a row's country, or the default region if the row has none."""
    return region_of_country(country) if country and not country.isspace() else default_region


def _refuse(reason: RefusalReason, sentence: str = "") -> RefusedNumber:
    return RefusedNumber(reason, sentence or reason.sentence)


def plain_number(text: str, home: str | None) -> tuple[str, Destination] | None:
    """Return the E.164 number and destination of a text in a usual form; None if more than a pattern has to decide."""
    destination = destination_of_e164(text)
    if destination is not None:
        return text, destination
    if len(text) > MAX_CHARACTERS or not _USUAL_FORM.fullmatch(text):
        return None
    digits = text.translate(_SEPARATORS)
    number = digits if digits[0] == "+" else _international(digits, home, text)
    if len(number) > _SURELY_SINGLE and len(digits) != len(text):
        return None
    destination = destination_of_e164(number)
    return (number, destination) if destination is not None else None


def _international(digits: str, home: str | None, text: str) -> str:
    """Return the digits of a text with ``+`` and the calling code before them, or "" if only the library can do it."""
    separated = len(digits) != len(text)
    rules = dialling_rules(home) if home else None
    if rules is not None and rules.international_prefix.pattern != "00" and rules.international_prefix.match(digits):
        return ""
    if digits.startswith("00"):
        return "+" + digits[2:]
    if rules is None or not rules.is_main_region:
        return ""
    trunk = rules.trunk_prefix.match(digits)
    if trunk is None:
        surely_complete = len(digits) > _DATE_OR_LOCAL_DIGITS and not digits.startswith(rules.code)
        if not (surely_complete and rules.keeps_leading_zero):
            return ""
        if not _has_area_code(text, rules) and may_be_foreign(digits, rules, separated=separated):
            return ""
        return f"+{rules.code}{digits}"
    if trunk.lastindex or rules.national_number.fullmatch(digits):
        return ""
    if separated and (digits.startswith(rules.code, trunk.end()) or len(digits) <= _DATE_OR_LOCAL_DIGITS):
        return ""
    return f"+{rules.code}{digits[trunk.end() :]}"


def _has_area_code(text: str, rules: DiallingRules) -> bool:
    """Return whether the first group of a text in a usual form has as many digits as every area code of the region."""
    start = text.startswith("(")
    end = start + rules.area_code_digits
    return end > start and text[start:end].isdigit() and end < len(text) and not text[end].isdigit()


def _by_library(text: str, country: str, home: str | None) -> AcceptedNumber | RefusedNumber:
    """Refuse a text that is not a number or not clearly one, and let the library decide about any other."""
    cleaned = clean(text)
    cell = Cell(cleaned, home)
    reason = _damage(cleaned) or fault_of_form(cell)
    if reason is None and says_telephone(text):
        reason = RefusalReason.TELEPHONE
    if reason is not None:
        return _refuse(reason, _of_words(cleaned) if reason is RefusalReason.NOT_A_NUMBER else "")
    written = with_calling_code(cell)
    if home is None and not Cell(written, home).is_international:
        return _refuse(RefusalReason.UNKNOWN_COUNTRY if country.strip() else RefusalReason.NO_COUNTRY)
    number = resolve(written, home)
    if number is None:
        return _without_zero(written, home) or _invalid(cell, written)
    fault = fault_of_meaning(cell, number) if written == cleaned else None
    return _refuse(fault) if fault is not None else number


def _of_words(cleaned: str) -> str:
    """Return a sentence about the words of a cell that may have a number beside them, or ""."""
    words = " ".join(_WORDS.findall(cleaned))[:_SHOWN_CHARACTERS]
    digits = sum(map(str.isdigit, cleaned))
    return (
        f"Beside digits, the cell says '{words}'; write only the number." if words and digits >= _FEWEST_DIGITS else ""
    )


def _damage(cleaned: str) -> RefusalReason | None:
    if not cleaned:
        return RefusalReason.EMPTY
    if any(form.fullmatch(cleaned) for form in (_SCIENTIFIC, _DECIMAL, _SPREADSHEET_ERROR, _DATE)):
        return RefusalReason.DAMAGED_BY_SPREADSHEET
    return RefusalReason.THOUSANDS_SEPARATORS if _AMOUNT.fullmatch(cleaned) else None


def _without_zero(written: str, home: str | None) -> AcceptedNumber | None:
    """Return the number without a ``(0)`` behind its calling code: some countries have no such prefix."""
    shorter = without_trunk_zero(written)
    return resolve(shorter, home) if shorter is not None else None


def _invalid(cell: Cell, written: str) -> RefusedNumber:
    reason = fault_of_invalid(cell)
    if reason is not None:
        return _refuse(reason)
    number = parsed(written, cell.home)
    return _unparsed(number) if isinstance(number, NumberParseException) else _judged(number, cell.home)


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


def _judged(number: phonenumbers.PhoneNumber, home: str | None) -> RefusedNumber:
    if _is_short(number, home):
        return _refuse(RefusalReason.SHORT_NUMBER)
    length = phonenumbers.is_possible_number_with_reason(number)
    if length != ValidationResult.IS_POSSIBLE:
        return _refuse(RefusalReason.IMPOSSIBLE, _LENGTHS.get(length, ""))
    return _refuse(RefusalReason.INVALID)


def _is_short(number: phonenumbers.PhoneNumber, home: str | None) -> bool:
    digits = phonenumbers.national_significant_number(number)
    if home is None or len(digits) > _SHORT_NUMBER_DIGITS:
        return False
    return shortnumberinfo.is_valid_short_number_for_region(number, home)
