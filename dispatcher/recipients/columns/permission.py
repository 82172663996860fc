"""Reads the values of columns about opting out and consent, in six languages."""

from functools import lru_cache

from dispatcher.recipients.columns import vocabulary as v
from dispatcher.recipients.columns.headings import plain

_OUT = v.TRUE_TEXTS | v.OPTED_OUT_TEXTS
_NOT_OUT = v.FALSE_TEXTS | v.ALLOWED_TEXTS | {""}
_ALLOWED = v.TRUE_TEXTS | v.ALLOWED_TEXTS
_NOT_ALLOWED = v.FALSE_TEXTS | v.OPTED_OUT_TEXTS | {""}
_CHECK_MARKS = dict.fromkeys(map(ord, "✓✔☑✅☒"), "x")
_REMEMBERED = 1024


@lru_cache(_REMEMBERED)
def is_opted_out(value: str) -> bool | None:
    """Return what a column about opting out says: true, false (also for an empty value), or None if it is unclear."""
    return _between(value, _OUT, _NOT_OUT)


@lru_cache(_REMEMBERED)
def has_consent(value: str) -> bool | None:
    """Return what a column about consent says: true, false (also for an empty value), or None if it is unclear."""
    return _between(value, _ALLOWED, _NOT_ALLOWED)


def _between(value: str, yes: frozenset[str], no: frozenset[str]) -> bool | None:
    text = plain(value.translate(_CHECK_MARKS))
    if not text and value.strip():
        return None  # "-" or "?" says nothing
    return True if text in yes else False if text in no else None
