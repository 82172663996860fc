"""Tolerant readers of JSON values: whatever the provider sends, they answer with a value of the wanted type."""

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime


def text(value: object) -> str:
    """Text as it is, numbers as text, anything else as empty text."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else ""


def whole(value: object) -> int:
    """A number or a number as text, cut to a whole one; anything else as 0."""
    if isinstance(value, str | float):
        try:
            number = float(value)
        except ValueError:
            return 0
        return int(number) if math.isfinite(number) else 0
    return int(value) if isinstance(value, int) else 0


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
    return {key: text(item) for key, item in mapping(value).items()}


def time_ms(value: object) -> int:
    """RFC 3339 time as milliseconds since 1970; a time without a zone is UTC; 0 when it is none."""
    if not isinstance(value, str):
        return 0
    try:
        when = datetime.fromisoformat(value)
        zoned = when if when.tzinfo else when.replace(tzinfo=UTC)
        return round(zoned.timestamp() * 1000)
    except (ValueError, OverflowError):
        return 0


def json_object(body: bytes | bytearray | str) -> Mapping[str, object] | None:
    """The JSON object in ``body``, or None when it is anything else."""
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return parsed if isinstance(parsed, dict) else None
