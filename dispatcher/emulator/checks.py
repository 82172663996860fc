"""Checks of single fields: each takes a value and says what is wrong with it, or None."""

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
    if isinstance(value, str) and _E164.fullmatch(value):
        return None
    return "must be a phone number in E.164 form, with a leading +"


def email(value: Any) -> str | None:
    if isinstance(value, str) and len(value) <= 254 and _EMAIL.fullmatch(value):
        return None
    return "must be an email address"


def boolean(value: Any) -> str | None:
    return None if isinstance(value, bool) else "must be true or false"


def text(value: Any) -> str | None:
    return None if isinstance(value, str) else "must be text"


def text_up_to(length: int) -> Check:
    def check(value: Any) -> str | None:
        if isinstance(value, str) and len(value) <= length:
            return None
        return f"must be text of at most {length} characters"

    return check


def whole_number(least: int, most: int) -> Check:
    def check(value: Any) -> str | None:
        if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
            return None
        return f"must be a whole number from {least} to {most}"

    return check


def one_of(*allowed: str) -> Check:
    def check(value: Any) -> str | None:
        return None if isinstance(value, str) and value in allowed else f"must be one of {', '.join(allowed)}"

    return check


def text_map(value: Any) -> str | None:
    if isinstance(value, dict) and all(isinstance(item, str) for item in value.values()):
        return None
    return "must be a map from text to text"


def http_url(value: Any) -> str | None:
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
    if isinstance(value, str) and value and _zone_known(value):
        return None
    return "must be the name of a time zone, such as America/New_York"


CALLBACK_TYPES = ("multipart/form-data", "application/json")
IMAGE_METHODS = ("HALFTONE", "MONOCHROME")
RESOLUTIONS = ("FINE", "SUPERFINE")
#: The provider's own limit, for requests and for services.
MAX_RETRIES = 5
#: No source gives a limit; a day keeps timers sane.
MAX_RETRY_DELAY_S = 86_400


def violations(fields: Mapping[str, Any], checks: Mapping[str, Check]) -> list[tuple[str, str]]:
    """Run the check of each field that is present: a list of (field, what is wrong)."""
    found = []
    for name, check in checks.items():
        if name in fields:
            wrong = check(fields[name])
            if wrong is not None:
                found.append((name, wrong))
    return found
