"""Tolerant conversion of JSON values: whatever the provider sends, each function returns its type.

Everything that the provider says passes through here. The resulting text has a limited length, fits on one line, can be
encoded as UTF-8 and contains no credentials. Numbers and the length of lists are limited, and implausible times count
as unknown. Every value is cut to its limit before it is searched, parsed or encoded.
"""

import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import islice

from dispatcher.core.times import in_range
from dispatcher.sinch.redaction import MARGIN_CHARS, with_masked_numbers, without_credentials

#: maximum characters of a text, unless a function names another limit
MAX_TEXT_CHARS = 10_000
#: maximum bytes of an ID; the provider's have 26
MAX_ID_BYTES = 200
#: maximum items of a list, and fields of an object with free names
MAX_ITEMS = 1_000
#: Maximum values in one JSON text. A list of 1,000 faxes has about 40,000. A cover page may have 500 merge fields, and
#: a list with many such faxes is read in smaller pages.
MAX_VALUES = 400_000
#: maximum characters of a name, of a number as text, and of a time
_NAME_CHARS, _NUMBER_CHARS, _TIME_CHARS = 200, 40, 64
#: larger numbers are reduced to this; many JSON readers cannot represent larger ones exactly
MAX_NUMBER = 2**53 - 1

#: with more quotes a JSON text counts as one with too many values, because its strings would take long to find
_MAX_QUOTES = 200_000
#: a string; one without an end reaches to the end of the text, so that no part is searched twice
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)', re.DOTALL)

#: characters that end a line or control a terminal, and lone surrogates, which cannot be encoded
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_SURROGATE = re.compile("[\ud800-\udfff]")
#: an ID is one segment of a path; the provider's consist of letters, digits and ``-``
_ID = re.compile(r"(?!\+)[\w.~=+@-]+")


def clean(value: str, max_chars: int = MAX_TEXT_CHARS) -> str:
    """Cut a text to ``max_chars`` characters, without credentials and what cannot be encoded or displayed."""
    line = value[: max_chars + MARGIN_CHARS]
    if not line.isprintable():
        line = _SURROGATE.sub("\ufffd", _CONTROL.sub(" ", line))
    return without_credentials(line)[:max_chars]


def text(value: object, max_chars: int = MAX_TEXT_CHARS) -> str:
    """Return a string or a number as clean text of at most ``max_chars`` characters; for anything else, return ""."""
    if isinstance(value, str):
        return clean(value, max_chars)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        value = _bounded(value)
    return str(value)[:max_chars] if isinstance(value, int | float) else ""


def explanation(value: object, max_chars: int = MAX_TEXT_CHARS) -> str:
    """Return a text for people, such as an error message, in which fax numbers are masked."""
    return with_masked_numbers(text(value, max_chars + MARGIN_CHARS))[:max_chars]


def identifier(value: object) -> str:
    """Return an ID unchanged, or an empty string if it cannot be genuine.

    A fax number or a credential is no ID: it would appear in logs and URLs.
    """
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= MAX_NUMBER:
        value = str(value)
    candidate = text(value, MAX_ID_BYTES + 1) if isinstance(value, str) else ""
    fits = candidate == value and len(candidate.encode()) <= MAX_ID_BYTES
    return candidate if fits and candidate not in {".", ".."} and _ID.fullmatch(candidate) else ""


def integer(value: object) -> int:
    """Return a number, or a number in a string, as an integer within the limits; anything else as 0."""
    if isinstance(value, str | float):
        try:
            number = float(value[:_NUMBER_CHARS] if isinstance(value, str) else value)
        except ValueError:
            return 0
        return _bounded(int(number)) if math.isfinite(number) else 0
    return _bounded(int(value)) if isinstance(value, int) else 0


def _bounded(number: int) -> int:
    return min(max(number, -MAX_NUMBER), MAX_NUMBER)


def flag(value: object) -> bool:
    """Return True for True, for a number other than 0, and for the strings ``true``, ``yes`` and ``1``."""
    if isinstance(value, str):
        return value[:_NUMBER_CHARS].strip().lower() in {"true", "yes", "1"}
    return isinstance(value, int | float) and bool(value)


def texts(value: object) -> tuple[str, ...]:
    """Return the strings in a list, or a single string as a tuple with one item."""
    if isinstance(value, list | tuple):
        return tuple(item_text for item in value[:MAX_ITEMS] if (item_text := text(item)))
    single = text(value)
    return (single,) if single else ()


def mapping(value: object) -> Mapping[str, object]:
    """Return an object unchanged, anything else as an empty one."""
    return value if isinstance(value, dict) else {}


def objects(value: object) -> list[Mapping[str, object]]:
    """Return the objects in a list."""
    return [item for item in value[:MAX_ITEMS] if isinstance(item, dict)] if isinstance(value, list) else []


def text_map(value: object) -> dict[str, str]:
    """Return an object with all its values as text."""
    return {clean(key, _NAME_CHARS): text(item) for key, item in islice(mapping(value).items(), MAX_ITEMS)}


def time_ms(value: object) -> int:
    """Return an RFC 3339 time in milliseconds since 1970; 0 if it is not a time or not plausible.

    A time without an offset is UTC.
    """
    if not isinstance(value, str) or len(value) > _TIME_CHARS:
        return 0
    try:
        parsed = datetime.fromisoformat(value)
        aware = parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
        ms = round(aware.timestamp() * 1000)
    except (ValueError, OverflowError):
        return 0
    return ms if in_range(ms) else 0


def json_object(body: bytes | bytearray | str) -> Mapping[str, object] | None:
    """Return the JSON object in ``body``, or None if it is anything else or has more than ``MAX_VALUES`` values."""
    try:
        if has_too_many_values(body):
            return None
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return parsed if isinstance(parsed, dict) else None


def has_too_many_values(body: bytes | bytearray | str) -> bool:
    """Return whether a JSON text may have more than ``MAX_VALUES`` values; each takes up to 100 bytes of memory."""
    body = body.encode("utf-8", "surrogatepass") if isinstance(body, str) else body
    if _values(body, 0, len(body)) <= MAX_VALUES:
        return False
    # What is inside strings does not count. Only texts in UTF-16 and UTF-32 contain NUL; their strings end elsewhere.
    if body.count(b'"') > _MAX_QUOTES or b"\0" in body:
        return True
    count = end = 0
    for string in _STRING.finditer(body):  # without a copy of the body
        count += _values(body, end, string.start())
        end = string.end()
    return count + _values(body, end, len(body)) > MAX_VALUES


def _values(body: bytes | bytearray, start: int, end: int) -> int:
    """Return at least the number of values in a part of a JSON text."""
    return body.count(b",", start, end) + body.count(b"[", start, end) + body.count(b"{", start, end)
