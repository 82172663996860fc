"""Reads the values of columns about opting out and consent, in six languages."""

import re
from functools import lru_cache

from dispatcher.recipients.columns import vocabulary as v
from dispatcher.recipients.columns.headings import forbids, plain, words_of

_OUT = v.TRUE_TEXTS | v.OPTED_OUT_TEXTS
_NOT_OUT = v.FALSE_TEXTS | v.ALLOWED_TEXTS | v.NOT_OUT_TEXTS | {""}
_ALLOWED = v.TRUE_TEXTS | v.ALLOWED_TEXTS
_NOT_ALLOWED = v.FALSE_TEXTS | v.OPTED_OUT_TEXTS | {""}
_CHECK_MARKS = dict.fromkeys(map(ord, "✓✔☑✅☒"), "x")
_REMEMBERED = 1024
#: characters and words of the longest text that says only that somebody opted out
_CHARACTERS, _MAX_WORDS = 60, 8
#: parts of such a text; most values have none, and are not looked at any further
_PARTS = re.compile(
    "opt|not|no |kein|nicht|pas|non|sin |niet|geen|nofax|unsub|abgem|widers|d[eé]s[ai]|disis|uitg|dnc|dnf|block|black"
    "|gesperrt|sperr|deceas|verstorben|gestorben|d[eé]c[eé]d|d[eé]funt|falleci|decedut|overled|don|stop|exclu",
    re.IGNORECASE,
)


@lru_cache(_REMEMBERED)
def is_opted_out(value: str) -> bool | None:
    """Return what a column about opting out says: true, false (also for an empty value), or None if it is unclear."""
    out = _between(value, _OUT, _NOT_OUT)
    return True if out is None and says_opted_out(value) else out


@lru_cache(_REMEMBERED)
def has_consent(value: str) -> bool | None:
    """Return what a column about consent says: true, false (also for an empty value), or None if it is unclear."""
    consent = _between(value, _ALLOWED, _NOT_ALLOWED)
    return False if consent is None and says_opted_out(value) else consent


def says_opted_out(value: str) -> bool:
    """Return whether a value of any column says that somebody opted out, or is dead: "inactive/do not contact"."""
    return len(value) <= _CHARACTERS and _PARTS.search(value) is not None and _says_opted_out(value)


@lru_cache(_REMEMBERED)
def _says_opted_out(value: str) -> bool:
    words = words_of(value)
    known = frozenset(words)
    # a "non-marketing contact" of HubSpot is one that its owner does not pay for
    if (
        len(words) > _MAX_WORDS
        or words[:2] == ("non", "marketing")
        or (known & v.OTHER_CHANNELS and "fax" not in known)
    ):
        return False
    out = known & v.OUT_WORDS or (known & {"opt", "opted", "opting"} and "out" in known)
    out = out or ("fax" in known and known & v.FORBIDDEN)
    if out:
        return not known & v.NEGATIONS or forbids(words)
    return forbids(words) or plain(value) in v.OUT_WORDS


def _between(value: str, yes: frozenset[str], no: frozenset[str]) -> bool | None:
    text = plain(value.translate(_CHECK_MARKS))
    if not text and value.strip():
        return None  # "-" or "?" says nothing
    return True if text in yes else False if text in no else None
