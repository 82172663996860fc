"""Tolerant conversion of JSON values: whatever the provider sends, each function returns its type.

The resulting text has a limited length, fits on one line and can be encoded as UTF-8. Numbers are limited, and
implausible times count as unknown.
"""

import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime

from dispatcher.core.times import in_range

#: maximum characters of a text, unless a function names another limit
MAX_TEXT_CHARS = 10_000
#: maximum bytes of an ID; the provider's have 26
MAX_ID_BYTES = 200
#: larger numbers are reduced to this; many JSON readers cannot represent larger ones exactly
MAX_NUMBER = 2**53 - 1

#: characters that end a line or control a terminal, and lone surrogates, which cannot be encoded
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_SURROGATE = re.compile("[\ud800-\udfff]")


def clean(value: str, max_chars: int = MAX_TEXT_CHARS) -> str:
    """Replace characters that cannot be encoded or displayed, and cut the text to ``max_chars`` characters."""
    return _SURROGATE.sub("\ufffd", _CONTROL.sub(" ", value[:max_chars]))


def text(value: object, max_chars: int = MAX_TEXT_CHARS) -> str:
    """Return a string or a number as clean text of at most ``max_chars`` characters; for anything else, return ""."""
    if isinstance(value, str):
        return clean(value, max_chars)
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)[:max_chars] if isinstance(value, int | float) else ""


def identifier(value: object) -> str:
    """Return an ID unchanged, or an empty string if it cannot be stored and used in a request."""
    candidate = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    fits = len(candidate.encode("utf-8", "replace")) <= MAX_ID_BYTES
    usable = candidate == clean(candidate) and fits and candidate not in {".", ".."}
    return candidate if usable else ""


def integer(value: object) -> int:
    """Return a number, or a number in a string, as an integer within the limits; anything else as 0."""
    if isinstance(value, str | float):
        try:
            number = float(value)
        except ValueError:
            return 0
        return _bounded(int(number)) if math.isfinite(number) else 0
    return _bounded(int(value)) if isinstance(value, int) else 0


def _bounded(number: int) -> int:
    return min(max(number, -MAX_NUMBER), MAX_NUMBER)


def flag(value: object) -> bool:
    """Return True for True, for a number other than 0, and for the strings ``true``, ``yes`` and ``1``."""
    if isinstance(value, str):
        return value.strip().lower() in {"true", "yes", "1"}
    return isinstance(value, int | float) and bool(value)


def texts(value: object) -> tuple[str, ...]:
    """Return the strings in a list, or a single string as a tuple with one item."""
    if isinstance(value, list | tuple):
        return tuple(item_text for item in value if (item_text := text(item)))
    single = text(value)
    return (single,) if single else ()


def mapping(value: object) -> Mapping[str, object]:
    """Return an object unchanged, anything else as an empty one."""
    return value if isinstance(value, dict) else {}


def text_map(value: object) -> dict[str, str]:
    """Return an object with all its values as text."""
    return {clean(key): text(item) for key, item in mapping(value).items()}


def time_ms(value: object) -> int:
    """Return an RFC 3339 time in milliseconds since 1970; 0 if it is not a time or not plausible.

    A time without an offset is UTC.
    """
    if not isinstance(value, str):
        return 0
    try:
        parsed = datetime.fromisoformat(value)
        aware = parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
        ms = round(aware.timestamp() * 1000)
    except (ValueError, OverflowError):
        return 0
    return ms if in_range(ms) else 0


def json_object(body: bytes | bytearray | str) -> Mapping[str, object] | None:
    """Return the JSON object in ``body``, or None if it is anything else."""
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return parsed if isinstance(parsed, dict) else None
