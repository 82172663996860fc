"""Reads the values of columns about opting out and consent, in six languages."""

import re
from collections.abc import Sequence
from functools import lru_cache

from dispatcher.recipients.columns import vocabulary as v
from dispatcher.recipients.columns.headings import forbids, plain, words_of

_OUT = v.TRUE_TEXTS | v.OPTED_OUT_TEXTS
_NOT_OUT = v.FALSE_TEXTS | v.ALLOWED_TEXTS | v.NOT_OUT_TEXTS | {""}
_ALLOWED = v.TRUE_TEXTS | v.ALLOWED_TEXTS
_NOT_ALLOWED = v.FALSE_TEXTS | v.OPTED_OUT_TEXTS | {""}
_OUT_ANYWHERE = v.WRONG_NUMBER_TEXTS | v.OUT_TEXTS
_CHECK_MARKS = dict.fromkeys(map(ord, "✓✔☑✅☒"), "x")
_REMEMBERED = 1024
#: characters and words of the longest text that says only that somebody opted out
_CHARACTERS, _MAX_WORDS = 100, 14
#: words of the longest one that says so with a single word: "patient deceased 2020"
_FEW_WORDS = 4
#: words beside the digits of a date: "Widerspruch vom 1.2.2026"
_WORDS_OF_DATE = 2
#: beginnings of words of such a text; most values have none, and are not looked at any further
_BEGINNINGS = re.compile(
    r"\b(?:opt(?:ed|ing)?\W?out"
    r"|(?:not?|nicht|keine?n?|ne|pas|plus|non|sin|niet|niente|geen|nie|never|don\W?t|ohne|senza|sans|without)\W"
    r"(?:\w+\W+){0,3}(?:fax|contact|kontakt|contatt|werbung|marketing|solicit|disturb|anschreiben)|nofax|keinfax|do\W?not"
    r"|wrong|disconn|not\W?(?:in|a)\W|invalid|revo|falsch|nichtverg|widerr|mauvais|num[e\u00e9]ro|verkeerd|ingetr|out\W?of|non\W?attr"
    r"|unsub|abgem|widers|d[e\u00e9]s(?:ab|in)|disis|uitg|afgem|dnc|dnf|block|black|gesperrt|sperrv|fax\w*|stop"
    r"|deceas|dead|died|passed|verstorben|gestorben|d[e\u00e9]c[e\u00e9]d|d[e\u00e9]funt|falleci|decedut|overled"
    r"|remov|tak(?:e|en)|wants|cease|requested|refuses|dad[oa]\Wde|werbeverbot)",
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


@lru_cache(_REMEMBERED)
def says_opted_out(value: str) -> bool:
    """Return whether a value of any column says that nobody must be faxed: "inactive/do not contact", "deceased"."""
    if len(value) > _CHARACTERS or _BEGINNINGS.search(value) is None:
        return False
    if plain(value) in _OUT_ANYWHERE:
        return True
    words = words_of(value)
    known = frozenset(words)
    # a "non-marketing contact" of HubSpot is one that its owner does not pay for
    if (
        len(words) > _MAX_WORDS
        or words[:2] == ("non", "marketing")
        or (known & v.OTHER_CHANNELS and "fax" not in known)
    ):
        return False
    if _speaks_of_opting_out(words, known):
        return not known & v.NEGATIONS or forbids(words)
    return forbids(words) or plain(value) in v.OUT_WORDS


def _speaks_of_opting_out(words: Sequence[str], known: frozenset[str]) -> bool:
    is_short = len(words) <= _FEW_WORDS or sum(not word.isdigit() for word in words) <= _WORDS_OF_DATE
    return bool(
        (known & v.OUT_WORDS and is_short)
        or (known & {"opt", "opted", "opting"} and "out" in known)
        or ("fax" in known and known & v.FORBIDDEN)
        or ("list" in known and known & v.REMOVED)
    )


def is_flag(value: str) -> bool:
    """Return whether a value is yes or no."""
    text = plain(value.translate(_CHECK_MARKS).strip().removesuffix(".0"))
    return text in v.TRUE_TEXTS or text in v.FALSE_TEXTS


def names_telephone(value: str) -> bool:
    """Return whether a value names a kind of number that is no fax number: "Mobile"."""
    return len(value) <= _CHARACTERS and plain(value) in v.TELEPHONES


def _between(value: str, yes: frozenset[str], no: frozenset[str]) -> bool | None:
    text = plain(value.translate(_CHECK_MARKS).strip().removesuffix(".0"))
    if not text and value.strip():
        return None  # "-" or "?" says nothing
    return True if text in yes else False if text in no else None
