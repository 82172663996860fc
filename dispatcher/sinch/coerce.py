"""Tolerant readers of JSON values: whatever the provider sends, they answer with a value of the wanted type.

Text that passes here can be encoded, printed and stored on one line, and has a bounded length; numbers are bounded;
times that cannot be true are unknown.
"""

import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime

#: characters of a text that no other bound is named for
LONGEST_TEXT = 10_000
#: bytes of an id; the provider's have 26, and whatever is longer is no id
LONGEST_ID = 200
#: numbers beyond this are cut to it: JSON readers of others do not tell larger ones apart either
LARGEST_NUMBER = 2**53 - 1

#: what would end a line or move a cursor, and halves of surrogate pairs, which nothing can encode
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_SURROGATE = re.compile("[\ud800-\udfff]")

#: times before 2000 and from 2100 on are no times of a fax (milliseconds since 1970)
_FIRST_MS = 946_684_800_000
_END_MS = 4_102_444_800_000


def clean(value: str, most: int = LONGEST_TEXT) -> str:
    """The text without what cannot be encoded or shown, cut to ``most`` characters."""
    return _SURROGATE.sub("\ufffd", _CONTROL.sub(" ", value[:most]))


def text(value: object, most: int = LONGEST_TEXT) -> str:
    """Text and numbers as clean text of at most ``most`` characters, anything else as empty text."""
    if isinstance(value, str):
        return clean(value, most)
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)[:most] if isinstance(value, int | float) else ""


def identifier(value: object) -> str:
    """An id exactly as it came; empty text for one that could not be stored and asked for again."""
    told = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    usable = told == clean(told) and len(told.encode("utf-8", "replace")) <= LONGEST_ID and told not in {".", ".."}
    return told if usable else ""


def whole(value: object) -> int:
    """A number or a number as text, cut to a whole one within the bounds; anything else as 0."""
    if isinstance(value, str | float):
        try:
            number = float(value)
        except ValueError:
            return 0
        return _bounded(int(number)) if math.isfinite(number) else 0
    return _bounded(int(value)) if isinstance(value, int) else 0


def _bounded(number: int) -> int:
    return min(max(number, -LARGEST_NUMBER), LARGEST_NUMBER)


def flag(value: object) -> bool:
    """True for a true boolean, a number other than 0, and the texts ``true``, ``yes`` and ``1``."""
    if isinstance(value, str):
        return value.strip().lower() in {"true", "yes", "1"}
    return isinstance(value, int | float) and bool(value)


def texts(value: object) -> tuple[str, ...]:
    """A list of texts, or a single text as a list of one."""
    if isinstance(value, list | tuple):
        return tuple(read for item in value if (read := text(item)))
    single = text(value)
    return (single,) if single else ()


def mapping(value: object) -> Mapping[str, object]:
    """An object as it is, anything else as an empty one."""
    return value if isinstance(value, dict) else {}


def text_map(value: object) -> dict[str, str]:
    """An object whose values are texts."""
    return {clean(key): text(item) for key, item in mapping(value).items()}


def time_ms(value: object) -> int:
    """RFC 3339 time as milliseconds since 1970; a time without a zone is UTC; 0 when it is none, or not of this
    century."""
    if not isinstance(value, str):
        return 0
    try:
        when = datetime.fromisoformat(value)
        zoned = when if when.tzinfo else when.replace(tzinfo=UTC)
        read = round(zoned.timestamp() * 1000)
    except (ValueError, OverflowError):
        return 0
    return read if _FIRST_MS <= read < _END_MS else 0


def json_object(body: bytes | bytearray | str) -> Mapping[str, object] | None:
    """The JSON object in ``body``, or None when it is anything else."""
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return parsed if isinstance(parsed, dict) else None
