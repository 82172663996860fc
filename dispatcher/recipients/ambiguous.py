"""Finds numbers that could mean more than one number, so that nobody has to guess which is meant.

A cell is taken apart into groups of digits and the gaps between them. Most rules ask the same question: is a part of
the cell a whole number by itself? The text is cleaned before (see ``number_text``) and has at most 100 characters.
"""

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import phonenumbers

from dispatcher.recipients.dialling import (
    AcceptedNumber,
    DiallingRules,
    dialling_rules,
    is_international,
    resolve,
    resolve_as_dialled,
)
from dispatcher.recipients.e164 import CALLING_CODE_DIGITS, region_of_e164
from dispatcher.recipients.refusal_reasons import RefusalReason

#: digits of the longest extension
_EXTENSION_DIGITS = 7
#: digits of the longest number within one town; a longer one has its area code
_LOCAL_DIGITS = 8
#: digits of the longest national number that is in use; the library knows plans with longer ones
_USUAL_DIGITS = 11
#: digits of the shortest text that is looked at as a whole number beside another one
_SEPARATE_DIGITS = 7
#: digits of the shortest text that is looked at as another end of the number before it
_END_DIGITS = 2
#: digits of the shortest group that an alternative can replace
_ALTERNATIVE_DIGITS = 3
#: digits of the longest prefix for an outside line
_OUTSIDE_LINE_DIGITS = 3
#: digits before a slash that are a group of the number if slashes alone group it, and no number by themselves
_GROUP_DIGITS = 8
_GROUPS = 3
#: digits before a bracket: an area code cannot follow more, with and without a calling code before it
_BEFORE_BRACKET, _BEFORE_BRACKET_ABROAD = 4, 6
#: digits before a slash behind other separators: an area code has no more, with and without a calling code before it
_BEFORE_SLASH, _BEFORE_SLASH_ABROAD = 6, 9

_DIGITS = re.compile(r"[0-9]+")
_LEAD = re.compile(r"[\s(.]*\+*[\s(]*")
#: three dots say that digits are missing: "030 23125..."
_TAIL = re.compile(r"(?!.*\.\s*\.)[\s).,;]*", re.DOTALL)
_PLAIN_GAP = re.compile(r"[\s().\-/]*")
_EXTENSION_WORD = re.compile(
    r"[\s.,;(-]*(?:x|#|ext(?:ension|n)?|durchwahl|dw|nst|nebenstelle|klappe|kl|apparat|poste|interno?|anexo|ramal|toestel|app)"
    r"[\s.:=#-]*",
    re.IGNORECASE,
)
_LIST = re.compile(
    r"[\s).]*(?:[;|&~+\n]|\.\.+|\u2026|(?<![0-9])(?<=[\s).,-])(?:und|u|and|or|oder|od|o|et|ou|y|e|ed|en|of|bzw|resp|respektive|sowie|bis|to"
    r"|through|thru|plus|as well as|alternativ|alt)\b)[\s(.:/-]*\+?[\s(]*",
    re.IGNORECASE,
)
_COMMAS = re.compile(r"[\s).]*(,+)[\s(-]*\+?[\s(]*")
_PAUSE = re.compile(r"[\s)]*(?:[wp],*)+[\s(-]*\+?[\s(]*", re.IGNORECASE)
_TRUNK_ZERO = re.compile(r"([\s(]*\+?[\s(]*0{0,2}([0-9]{1,3})[\s).\-/]*)\(0\)")
_CALLING_CODES = phonenumbers.COUNTRY_CODE_TO_REGION_CODE
_GROUPED_BY_THOUSANDS = re.compile(r"[1-9][0-9]{0,2}(?:([. ])[0-9]{3})(?:\1[0-9]{3})+(?:\1[0-9]{1,2})?")


class Gap(NamedTuple):
    """The text between two groups of digits of a cell."""

    #: the characters of the gap
    text: str
    #: the cell before the gap and behind it
    before: str
    after: str
    #: the digits before the gap and behind it
    digits_before: str
    digits_after: str


class Cell:
    """A cell taken apart into groups of digits."""

    def __init__(self, text: str, home: str | None) -> None:
        self.text = text
        self.home = home
        self._spans = [match.span() for match in _DIGITS.finditer(text)]
        #: the groups of digits
        self.groups = [text[start:end] for start, end in self._spans]
        self.digits = "".join(self.groups)

    @property
    def lead(self) -> str:
        """The text before the first digit."""
        return self.text[: self._spans[0][0]] if self._spans else self.text

    @property
    def tail(self) -> str:
        """The text behind the last digit."""
        return self.text[self._spans[-1][1] :] if self._spans else ""

    @property
    def is_behind_zeros(self) -> bool:
        """Whether the number begins with ``00`` instead of ``+``."""
        return "+" not in self.lead and self.digits.startswith("00")

    @property
    def has_only_slashes(self) -> bool:
        """Whether slashes stand between three or more groups, and nothing else: ``030/23125/123``."""
        return len(self.groups) >= _GROUPS and all(gap.text == "/" for gap in self.gaps())

    @property
    def rules(self) -> DiallingRules | None:
        """The dialling rules of the row's region, if it has one."""
        return dialling_rules(self.home) if self.home is not None else None

    @property
    def is_international(self) -> bool:
        """Whether the number begins with ``+`` or a prefix of international calls."""
        return "+" in self.lead or is_international(self.digits, self.home)

    def gaps(self) -> Iterator[Gap]:
        """Yield the gaps between the groups."""
        count = 0
        for (start, end), (following, _) in pairwise(self._spans):
            count += end - start
            yield Gap(
                self.text[end:following],
                self.text[:end],
                self.text[following:],
                self.digits[:count],
                self.digits[count:],
            )

    def resolve(self, text: str) -> AcceptedNumber | None:
        """Return the number that a part of the cell stands for by itself, or None."""
        return resolve(text, self.home)


def fault_of_form(cell: Cell) -> RefusalReason | None:
    """Return why a text cannot be read as digits of one number, or None."""
    if not cell.groups:
        return RefusalReason.NOT_A_NUMBER
    if cell.lead.strip()[:1] in ("*", "#"):
        return RefusalReason.OUTSIDE_LINE
    reason = next(filter(None, (_fault_of_gap(cell, gap) for gap in cell.gaps())), None)
    if reason is RefusalReason.TWO_NUMBERS or (reason is not None and _LEAD.fullmatch(cell.lead)):
        return reason
    if not _LEAD.fullmatch(cell.lead) or not _TAIL.fullmatch(cell.tail):
        return RefusalReason.NOT_A_NUMBER
    return _outside_line(cell)


def _fault_of_gap(cell: Cell, gap: Gap) -> RefusalReason | None:
    is_prefix = len(gap.digits_before) <= _OUTSIDE_LINE_DIGITS and "+" not in cell.lead
    if _PLAIN_GAP.fullmatch(gap.text):
        return _fault_of_plain_gap(cell, gap)
    commas = _COMMAS.fullmatch(gap.text)
    if commas or _PAUSE.fullmatch(gap.text):
        if is_prefix:
            return RefusalReason.OUTSIDE_LINE
        if commas and len(commas.group(1)) == 1 and _is_alternative(gap):
            return RefusalReason.TWO_NUMBERS
        return RefusalReason.EXTENSION if len(gap.digits_after) <= _EXTENSION_DIGITS else RefusalReason.TWO_NUMBERS
    if _EXTENSION_WORD.fullmatch(gap.text):
        return RefusalReason.OUTSIDE_LINE if is_prefix else RefusalReason.EXTENSION
    if _LIST.fullmatch(gap.text):
        return (
            RefusalReason.OUTSIDE_LINE
            if is_prefix and gap.text.strip(" ()-")[:1] in "+;"
            else RefusalReason.TWO_NUMBERS
        )
    both = min(len(gap.digits_before), len(gap.digits_after)) >= _SEPARATE_DIGITS
    is_end = len(gap.digits_after) >= _END_DIGITS and cell.resolve(gap.before) is not None
    return RefusalReason.TWO_NUMBERS if both or is_end else RefusalReason.NOT_A_NUMBER


def _is_alternative(gap: Gap) -> bool:
    """Return whether digits behind a comma look like another end of the number before it, and not like an extension."""
    last = _DIGITS.findall(gap.before)[-1]
    return gap.text.endswith(" ") or len(gap.digits_after) >= len(last)


def _fault_of_plain_gap(cell: Cell, gap: Gap) -> RefusalReason | None:
    """Judge a gap of separators: a slash, a bracket or a line break may begin another number."""
    if not any(character in gap.text for character in "/(\n\r"):
        return None
    whole = cell.resolve(gap.before)
    is_group = len(gap.digits_before) <= _GROUP_DIGITS and cell.has_only_slashes
    if whole is not None and not is_group:
        return RefusalReason.TWO_NUMBERS
    slash_limit = _BEFORE_SLASH_ABROAD if cell.is_international else _BEFORE_SLASH
    if "/" in gap.text and len(gap.digits_before) > slash_limit and not cell.has_only_slashes:
        return RefusalReason.TWO_NUMBERS
    limit = _BEFORE_BRACKET_ABROAD if cell.is_international else _BEFORE_BRACKET
    if "(" in gap.text and len(gap.digits_before) > limit:
        return RefusalReason.BRACKETS
    return None


def _outside_line(cell: Cell) -> RefusalReason | None:
    """Refuse a single digit before a number that is whole without it, unless the digit is dialled in the country."""
    if len(cell.groups) < 2 or len(cell.groups[0]) > 1 or "+" in cell.lead:
        return None
    if _GROUPED_BY_THOUSANDS.fullmatch(cell.text):
        return None
    first = next(cell.gaps())
    if first.digits_before == "0" and first.after.startswith("0"):
        return RefusalReason.OUTSIDE_LINE
    rules = cell.rules
    if rules is None or first.digits_before == rules.code or rules.trunk_prefix.fullmatch(first.digits_before):
        return None
    whole = is_international(first.digits_after, cell.home) or rules.trunk_prefix.match(first.digits_after)
    if not cell.resolve(first.after) or not (whole or not cell.resolve(cell.text)):
        return None
    return RefusalReason.OUTSIDE_LINE


def with_calling_code(cell: Cell) -> str:
    """Return the text with ``+`` if ``(0)`` shows that it begins with a calling code: ``49 (0)30 ...``."""
    match = _TRUNK_ZERO.match(cell.text)
    if match is None or "+" in match.group(1) or cell.is_international:
        return cell.text
    return "+" + cell.text.lstrip(" (") if int(match.group(2)) in _CALLING_CODES else cell.text


def without_trunk_zero(text: str) -> str | None:
    """Return the text without the ``(0)`` behind its calling code, or None if there is none."""
    match = _TRUNK_ZERO.match(text)
    return match.group(1) + text[match.end() :] if match else None


def fault_of_meaning(cell: Cell, number: AcceptedNumber) -> RefusalReason | None:
    """Return why a valid number may not be the one that is meant, or None."""
    if _grouped_by_thousands(cell, number):
        return RefusalReason.THOUSANDS_SEPARATORS
    if _joined(cell, number):
        return RefusalReason.TWO_NUMBERS
    rules = cell.rules
    if rules is None or cell.home is None:
        return None
    if cell.is_international:
        # Some countries have longer prefixes of international calls that begin with 00: 008 is one in Korea.
        dialled = resolve_as_dialled(cell.digits, cell.home) if cell.is_behind_zeros else None
        return RefusalReason.CALLING_CODE if number.region != cell.home and dialled not in (None, number) else None
    trunk = rules.trunk_prefix.match(cell.digits)
    if trunk is not None and trunk.end():
        return _calling_code_behind_zero(cell, rules, number)
    if cell.digits.startswith(rules.code) and _two_readings(cell, rules):
        return RefusalReason.CALLING_CODE
    if may_be_foreign(cell.digits, rules, separated=len(cell.groups) > 1) and _is_foreign(cell, rules, number):
        return RefusalReason.OTHER_COUNTRY
    return RefusalReason.LOST_ZERO if _may_lack_digits(cell, rules, number) else None


def _two_readings(cell: Cell, rules: DiallingRules) -> bool:
    """Return whether digits are valid as a national number, and with a ``+`` before them."""
    national, international = cell.resolve(f"+{rules.code}{cell.digits}"), cell.resolve(f"+{cell.digits}")
    return national is not None and international is not None and national != international


def may_be_foreign(digits: str, rules: DiallingRules, *, separated: bool) -> bool:
    """Return whether digits of a number without any prefix are a number of another country with ``+`` before them.

    Digits without separators that have the only length, or a usual one, of the country's plan are not suspected: ten
    digits in the United States are a number there.
    """
    if digits.startswith(rules.code) or not (separated or rules.has_any_length):
        return False
    return region_of_e164(f"+{digits}") is not None


def _is_foreign(cell: Cell, rules: DiallingRules, number: AcceptedNumber) -> bool:
    """Return whether nothing shows that digits, which are valid in another country too, are a number of the region.

    The area code as a group of its own shows it: ``431 2345678``. A calling code as a group shows the opposite.
    """
    parsed = phonenumbers.parse(number.number)
    national = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.NATIONAL)
    written = _DIGITS.findall(national)
    has_prefix = "".join(written) != cell.digits
    if len(cell.groups) > 1:
        area = written[0].removeprefix(rules.usual_trunk_prefix) if has_prefix else written[0]
        if cell.groups[0] in (area, written[0]):
            return False
        return rules.has_any_length or int(cell.groups[0]) in _CALLING_CODES
    # Without a prefix in the country, only lengths that its numbers rarely have are suspected.
    return has_prefix or len(cell.digits) > rules.longest_mobile


def _calling_code_behind_zero(cell: Cell, rules: DiallingRules, number: AcceptedNumber) -> RefusalReason | None:
    """Refuse ``049 30 ...``: the zero and the code stand alone as in ``+49 30``, but the area code would be 04930."""
    first = rules.usual_trunk_prefix + rules.code
    if not rules.usual_trunk_prefix or cell.groups[0] != first or not cell.resolve("+" + cell.digits[1:]):
        return None
    parsed = phonenumbers.parse(number.number)
    written = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.NATIONAL)
    return None if _DIGITS.findall(written)[:1] == [first] else RefusalReason.CALLING_CODE


def _may_lack_digits(cell: Cell, rules: DiallingRules, number: AcceptedNumber) -> bool:
    """Return whether digits may have lost a zero that belongs to them, or may lack the area code."""
    if not rules.keeps_leading_zero:
        longer = cell.resolve("0" + cell.digits) if not cell.digits.startswith("0") else None
        usual_mobile = cell.digits[:1] == "3" and len(cell.digits) == rules.longest_mobile
        return longer is not None and longer != number and not usual_mobile
    if not rules.usual_trunk_prefix:
        return False
    return "(" not in cell.text and len(cell.digits) <= min(_LOCAL_DIGITS, rules.longest_fixed_line - 1)


def _grouped_by_thousands(cell: Cell, number: AcceptedNumber) -> bool:
    """Return whether digits are grouped as the amounts of a spreadsheet are, and not as numbers of the country are."""
    grouped = _GROUPED_BY_THOUSANDS.fullmatch(cell.text)
    if grouped is None:
        return False
    rules = cell.rules
    # Three groups of three are usual where no prefix and no zero can be lost, and with spaces everywhere.
    three_by_three = list(map(len, cell.groups)) == [3, 3, 3]
    if three_by_three and (grouped.group(1) == " " or not (rules and rules.usual_trunk_prefix)):
        return False
    # behind the calling code of such a country, too, every digit is there: 34 910 601 234
    if rules and cell.groups[0] == rules.code and not rules.usual_trunk_prefix and grouped.group(1) == " ":
        return False
    parsed = phonenumbers.parse(number.number)
    styles = (phonenumbers.PhoneNumberFormat.NATIONAL, phonenumbers.PhoneNumberFormat.INTERNATIONAL)
    usual = [_DIGITS.findall(phonenumbers.format_number(parsed, style)) for style in styles]
    return cell.groups not in (*usual, usual[1][1:])


def _joined(cell: Cell, number: AcceptedNumber) -> bool:
    """Return whether groups that are valid together look like two numbers with a space or dash between them."""
    if len(cell.groups) < 3 or len(number.number) - 2 <= _USUAL_DIGITS:
        return False
    for gap in cell.gaps():
        if len(gap.digits_before) < _SEPARATE_DIGITS or not cell.resolve(gap.before):
            continue
        if _begins_anew(cell, gap) or _continues(gap):
            return True
    return False


def _begins_anew(cell: Cell, gap: Gap) -> bool:
    """Return whether the text behind a gap is a whole number that begins with a prefix."""
    if len(gap.digits_after) < _SEPARATE_DIGITS or not cell.resolve(gap.after):
        return False
    rules = cell.rules
    trunk = rules.trunk_prefix.match(gap.digits_after) if rules else None
    return bool(trunk and trunk.end()) or is_international(gap.digits_after, cell.home)


def _continues(gap: Gap) -> bool:
    """Return whether the text behind a gap is an alternative to the last group before it: ``471012 471013``."""
    last = _DIGITS.findall(gap.before)[-1]
    alternative = gap.digits_after
    same = sum(1 for left, right in zip(last, alternative, strict=False) if left == right)
    return (
        len(last) == len(alternative) >= 3
        and last != alternative
        and last[0] == alternative[0]
        and same * 2 > len(last)
    )


def fault_of_invalid(cell: Cell) -> RefusalReason | None:
    """Return what probably happened to a number that is not valid, or None if only the library's answer is known."""
    for gap in cell.gaps():
        if cell.resolve(gap.before) and (cell.resolve(gap.after) or _continues(gap)):
            return RefusalReason.TWO_NUMBERS
    if _GROUPED_BY_THOUSANDS.fullmatch(cell.text):
        return RefusalReason.THOUSANDS_SEPARATORS
    return RefusalReason.LOST_ZERO if _lacks_zero(cell) else None


def _lacks_zero(cell: Cell) -> bool:
    """Return whether a number that is not valid would be valid with a zero before its national part."""
    if not cell.is_international:
        return cell.home is not None and cell.resolve("0" + cell.digits) is not None
    for end in range(1, CALLING_CODE_DIGITS + 1):
        if "+" in cell.lead and int(cell.digits[:end]) in _CALLING_CODES:
            return cell.resolve(f"+{cell.digits[:end]}0{cell.digits[end:]}") is not None
    return False
