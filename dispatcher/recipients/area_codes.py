"""Joins a number with an area code from a column of its own, unless it is unclear whether the number has it already."""

import re

from dispatcher.recipients.dialling import AcceptedNumber, dialling_rules, is_international
from dispatcher.recipients.number_text import MAX_CHARACTERS, clean
from dispatcher.recipients.numbers import normalize_number
from dispatcher.recipients.refusal_reasons import RefusalReason, RefusedNumber

#: characters of the longest area code with its brackets
_MAX_CODE_CHARACTERS = 20
_AREA_CODE = re.compile(r"[\s(]*([0-9]{1,6})[\s)/-]*")
_NOT_DIALLED = re.compile(r"[^0-9+]+")
#: reasons for which a number without its area code is refused
_INCOMPLETE = {
    RefusalReason.IMPOSSIBLE,
    RefusalReason.INVALID,
    RefusalReason.LOST_ZERO,
    RefusalReason.CALLING_CODE,
    RefusalReason.SHORT_NUMBER,
}
_MISMATCH = RefusedNumber(RefusalReason.AREA_CODE, RefusalReason.AREA_CODE.sentence)
_BOTH = "The number is valid with the area code before it and without; write the complete number, best as +49..."


def with_area_code(text: str, area_code: str, home: str | None, country: str = "") -> AcceptedNumber | RefusedNumber:
    """Convert a number with its area code to E.164, or return why it cannot be dialled.

    A number that begins with ``+``, or with the prefix of national or international calls, is complete: it must have
    the area code. Of any other, the number alone and the number behind the area code are tried; one may be valid.

    Args:
        text: The number as written.
        area_code: The area code as written, with or without the prefix of national calls.
        home: The region (ISO 3166 alpha-2) of the row.
        country: The country of the row as written, for the reason why it is not known.
    """
    alone = normalize_number(text, country, home)
    region = home or (alone.region if isinstance(alone, AcceptedNumber) and alone.region.isalpha() else None)
    if region is None or len(text) > MAX_CHARACTERS:
        return alone
    area = _AREA_CODE.fullmatch(clean(area_code)) if len(area_code) <= _MAX_CODE_CHARACTERS else None
    if area is None:
        return _MISMATCH
    return _joined(clean(text), alone, area.group(1), region) if area.group(1).strip("0") else alone


def _joined(
    cleaned: str, alone: AcceptedNumber | RefusedNumber, area: str, region: str
) -> AcceptedNumber | RefusedNumber:
    rules = dialling_rules(region)
    # Only zeros can be told from the first digit of an area code.
    trunk = rules.usual_trunk_prefix if rules.usual_trunk_prefix.startswith("0") else ""
    code = area.removeprefix(trunk)
    is_valid = isinstance(alone, AcceptedNumber)
    has_code = isinstance(alone, AcceptedNumber) and alone.number.startswith(f"+{rules.code}{code}")
    digits = _NOT_DIALLED.sub("", cleaned)
    if is_international(digits, region) or (trunk and digits.startswith(trunk)):
        return alone if has_code or not is_valid else _MISMATCH
    if isinstance(alone, RefusedNumber) and alone.reason not in _INCOMPLETE:
        return alone
    joined = normalize_number(f"({trunk}{code}) {cleaned}", "", region)
    if has_code and isinstance(joined, AcceptedNumber) and joined != alone:
        return RefusedNumber(RefusalReason.AREA_CODE, _BOTH)
    if isinstance(joined, AcceptedNumber) or not is_valid:
        return joined
    return alone if has_code else _MISMATCH
