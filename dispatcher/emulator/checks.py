"""Checks of single fields.

A check takes a value and returns what is wrong with it, or None if it is valid.
"""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

Check = Callable[[Any], str | None]

_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_URL = re.compile(
    r"https?://(?:[!-.0-;=A-Z_a-z~%]*@)?(?:\[[0-9a-f:.]+\]|[0-9a-z._-]+)(?::(?P<port>\d{1,5})?)?(?:[/?#][!-~]*)?",
    re.IGNORECASE,
)
_PORTS = range(1, 65536)
_EMAIL = re.compile(r"[^@\s/]+@[^@\s/]+\.[^@\s/.]+")


def e164(value: Any) -> str | None:
    """Check a phone number in E.164 format."""
    if isinstance(value, str) and _E164.fullmatch(value):
        return None
    return "must be a phone number in E.164 form, with a leading +"


def email(value: Any) -> str | None:
    """Check an email address."""
    if isinstance(value, str) and len(value) <= 254 and _EMAIL.fullmatch(value):
        return None
    return "must be an email address"


def boolean(value: Any) -> str | None:
    """Check a boolean."""
    return None if isinstance(value, bool) else "must be true or false"


def text(value: Any) -> str | None:
    """Check a string."""
    return None if isinstance(value, str) else "must be text"


def text_up_to(length: int) -> Check:
    """Return a check of a string with a maximum length."""

    def check(value: Any) -> str | None:
        if isinstance(value, str) and len(value) <= length:
            return None
        return f"must be text of at most {length} characters"

    return check


def whole_number(minimum: int, maximum: int) -> Check:
    """Return a check of an integer in a range, limits included."""

    def check(value: Any) -> str | None:
        if isinstance(value, int) and not isinstance(value, bool) and minimum <= value <= maximum:
            return None
        return f"must be a whole number from {minimum} to {maximum}"

    return check


def one_of(*allowed: str) -> Check:
    """Return a check of a string with a fixed set of values."""

    def check(value: Any) -> str | None:
        return None if isinstance(value, str) and value in allowed else f"must be one of {', '.join(allowed)}"

    return check


def text_map(value: Any) -> str | None:
    """Check an object whose values are strings."""
    if isinstance(value, dict) and all(isinstance(item, str) for item in value.values()):
        return None
    return "must be a map from text to text"


def http_url(value: Any) -> str | None:
    """Check an absolute http or https URL."""
    if isinstance(value, str):
        match = _URL.fullmatch(value)
        if match and int(match["port"] or 80) in _PORTS:
            return None
    return "must be an http or https URL"


@lru_cache(maxsize=1024)
def _zone_known(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def time_zone(value: Any) -> str | None:
    """Check the name of a time zone."""
    if isinstance(value, str) and value and _zone_known(value):
        return None
    return "must be the name of a time zone, such as America/New_York"


CALLBACK_TYPES = ("multipart/form-data", "application/json")
IMAGE_METHODS = ("HALFTONE", "MONOCHROME")
RESOLUTIONS = ("FINE", "SUPERFINE")
#: the provider's limit, for requests and for services
MAX_RETRIES = 5
#: the provider documents no limit; one day keeps the timers reasonable
MAX_RETRY_DELAY_S = 86_400


def find_violations(fields: Mapping[str, Any], checks: Mapping[str, Check]) -> list[tuple[str, str]]:
    """Run the check of each field that is present.

    Returns:
        Pairs of field name and description, one for each invalid field.
    """
    violations = []
    for name, check in checks.items():
        if name in fields:
            description = check(fields[name])
            if description is not None:
                violations.append((name, description))
    return violations
