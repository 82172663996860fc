"""Reduces a number, as people, spreadsheets and web pages write it, to ASCII digits and separators.

It removes only what certainly is not part of the number: quotes, a label that says fax, invisible characters.
"""

import re
import unicodedata

#: maximum characters of a number; a longer text is refused before an expression sees it
MAX_CHARACTERS = 100

_QUOTES = "\"'`\u00b4\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u201f\u2032\u2033\u00ab\u00bb\u2039\u203a"
_SAME_AS = (
    # NFKC would turn the superscript of a footnote into a digit of the number, so characters are named one by one
    {chr(code): chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}
    # minus signs, box drawings, the long vowel marks of Japanese and Korean, and a bullet: written as dashes
    | dict.fromkeys("\u2212\u02d7\u2043\u2500\u2501\u30fc\uff70\u3161", "-")
    | dict.fromkeys("\u00b7\u2022\u2024\u2027\u2219\u22c5\u30fb\uff65\u3002\uff61", ".")
    | dict.fromkeys("\u2018\u2019\u201b\u2032", "'")
    | dict.fromkeys("\u2044\u2215", "/")
    | dict.fromkeys("\u3001\uff64", ",")
    | dict.fromkeys("[{\u3010\u3014\u2768", "(")
    | dict.fromkeys("]}\u3011\u3015\u2769", ")")
    # wave dashes are dashes to Unicode, but they write a range of numbers
    | dict.fromkeys("\u301c\u3030\u223c", "~")
    | dict.fromkeys("\u000b\u000c\u0085\u2028\u2029", "\n")
)

_FAX = (
    r"(?:tele[ -]?fax|e-?fax|fax|facsimile|telecopier|telecopie|t[eé]l[eé]copie(?:ur)?|faks|faxe|telecopia"
    r"|\u30d5\u30a1\u30c3\u30af\u30b9|\u30d5\u30a1\u30af\u30b9|\uff8c\uff67\uff6f\uff78\uff7d|\u4f20\u771f|\u50b3\u771f|\ud329\uc2a4|f)"
)
_LINE = r"(?:telephone|tel[eé]fono|telefoon|telefon|t[eé]l[eé]phone|phone|t[eé]l|tfno|tlf|fon|ph|t)"
#: what joins the two: "Tel./Fax", "Tél. et fax"
_AND = r"(?:\s*[/&,+-]\s*|\s+(?:u\.?|und|and|et|y|e|en|or|oder|o|ou|of)\s+)"
#: whose number it is
_PLACE = (
    r"(?:business|work|office|home|private|personal|b[uü]ro|dienstl(?:ich)?|gesch[aä]ftl(?:ich)?|privat|zuhause|praxis|bureau"
    r"|domicile|travail|priv[eé]|oficina|trabajo|casa|ufficio|lavoro|werk|thuis|zakelijk)"
)
_KIND = rf"(?:direct|main|our|your|{_PLACE})"
_NUMBER_WORD = r"(?:number|num[eé]ro|n[uú]mero|nummer|num|no|nr|n\.?[\u00b0\u00ba]|n(?=\.))"
_LABEL = re.compile(
    rf"[\s(]*(?:{_NUMBER_WORD}\.?\s*(?:de|du|di|van)?\s+)?(?:{_KIND}\s+)?"
    rf"(?:{_FAX}|{_LINE})\.?(?:{_AND}(?:{_FAX}|{_LINE})\.?)?(?:\s+{_PLACE})?"
    rf"[\s-]*(?:{_NUMBER_WORD}\.?)?[\s):#=-]*(?://)?",
    re.IGNORECASE,
)
#: "Fax 2: 030 ...", "Fax (home) 030 ..."; without the colon, the digit may belong to the number
_NUMBERED = re.compile(
    rf"([\s(]*(?:{_KIND}\s+)?(?:{_FAX}|{_LINE})\.?)\s*(?:#?\s*[1-9]\s*:|\({_PLACE}\)\s*:?)", re.IGNORECASE
)
_TELEPHONE = re.compile(
    rf"[\s(]*(?:{_KIND}\s+)?{_LINE}\.?[\s-]*(?:{_NUMBER_WORD}\.?)?[\s):#=-]*[^0-9A-Za-z]*", re.IGNORECASE
)
#: a telephone URI names the kind of address (RFC 3966), not what answers there
_URI = re.compile(r"tel:(?://)?[+(0-9]")
_FAX_BEHIND = re.compile(
    rf"[\s(,;:./-]*(?<![^\W\d_])(?:{_PLACE}\.?\s*)?{_FAX}(?![^\W\d_])"
    rf"(?:\s+(?:only|{_PLACE}|{_NUMBER_WORD}))?[\s).:]*",
    re.IGNORECASE,
)
_PLACE_BEHIND = re.compile(rf"[\s(,:./-]*{_PLACE}[\s).:]*", re.IGNORECASE)
_TELEPHONE_BEHIND = re.compile(
    rf"[\s(,;:./-]*(?:{_PLACE}\.?\s*)?(?:{_LINE}|voice|mobile?|mobiltelefon|cell(?:ular|phone)?|handy|portable|m[oó]vil"
    rf"|cellulare|gsm|landline|festnetz)(?:\s+(?:only|{_PLACE}))?[\s).:]*",
    re.IGNORECASE,
)
_BEFORE_NUMBER = re.compile(r"[^0-9+(]*")
_PHONE_CONTEXT = re.compile(r"([^;]*);phone-context=(\+[0-9-]{1,20})", re.IGNORECASE)


def clean(text: str) -> str:
    """Return the number without quotes, label and invisible characters, in ASCII as far as it is a number."""
    plain = _plain(text)
    return _without_labels(plain.translate(_BRACKETS)) if plain else ""


def says_telephone(text: str) -> bool:
    """Return whether a number has a label that says telephone and not fax. ``text`` has at most 100 characters."""
    plain = _NUMBERED.sub(r"\1:", _plain(text), count=1)
    end = _label_end(plain)
    if end == len(plain) or _URI.match(plain) or _FAX_BEHIND.search(plain, end):
        return False
    is_labelled = _LABEL.fullmatch(plain[:end]) and any(map(str.isalpha, plain[:end]))
    behind = not is_labelled and _TELEPHONE_BEHIND.fullmatch(plain, _number_end(plain))
    return bool(behind or _TELEPHONE.fullmatch(plain[:end]))


def _plain(text: str) -> str:
    """Return the text in ASCII as far as it is a number, without the quotes around it."""
    plain = text if text.isascii() else "".join(map(_ascii, text))
    plain = plain.strip().removeprefix('="').strip(_QUOTES + " \t")
    return plain if plain.isascii() else plain.strip()


def _number_end(text: str) -> int:
    """Return where the last digit ends."""
    return max(map(text.rfind, "0123456789"), default=-1) + 1


def _label_end(text: str) -> int:
    """Return where what stands before the number ends."""
    label = _BEFORE_NUMBER.match(text, 1 if text.startswith("(") else 0)
    return label.end() if label else 0


_BRACKETS = str.maketrans("[]{}", "()()")


def _ascii(character: str) -> str:
    """Return a digit, dash, space or full-width sign of any script as ASCII, and "" for a format character."""
    same = _SAME_AS.get(character)
    if same is not None:
        return same
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
    return character


def _without_labels(text: str) -> str:
    """Remove a label before the number, and the words behind it that say what it is or whose."""
    text = _NUMBERED.sub(r"\1:", text, count=1)
    end = _label_end(text)
    if end and any(map(str.isalpha, text[:end])) and _LABEL.fullmatch(text[:end]):
        text = _with_context(text[end:])
    last = _number_end(text)
    behind = (_FAX_BEHIND, _PLACE_BEHIND, _TELEPHONE_BEHIND)
    if last < len(text) and any(pattern.fullmatch(text, last) for pattern in behind):
        return text[:last]
    return text.strip()


def _with_context(text: str) -> str:
    """Return the number of a telephone URI with the digits that its context puts before it (RFC 3966)."""
    context = _PHONE_CONTEXT.fullmatch(text)
    if context is None:
        return text
    return context.group(1) if context.group(1).startswith("+") else context.group(2) + " " + context.group(1)
