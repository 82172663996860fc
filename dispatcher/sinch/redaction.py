"""Removes credentials and fax numbers from texts of the provider before anybody stores, logs or shows them.

A gateway that repeats our request in its error message must not put our token into a log. ``coerce`` applies both
functions to every text from outside.
"""

import re
from urllib.parse import quote

#: stands for a credential that was removed
HIDDEN = "[hidden]"
#: shorter secrets are not looked for, because they may be ordinary words; the provider's have at least 30 characters
MIN_SECRET_CHARS = 12
#: a secret counts as repeated if this many of its first characters are: a text may be cut within it
_PREFIX_CHARS = 16
#: how many secrets a process remembers; the oldest, which are expired tokens, are forgotten
_MAX_SECRETS = 32
#: a text must be read this far beyond its limit, so that a secret at its end is recognised
MARGIN_CHARS = 64
#: digits of a number that remain
_SHOWN_DIGITS = 3

_SLASH = r"(?:\\?/|%2[Ff])"
#: a credential after something that announces it, which is kept: an ``Authorization`` scheme, a signed URL, a name
_ANNOUNCED = re.compile(
    r"(\b(?:bearer|basic)(?:\s|%20|\+|:)+)(?=[\w.~+/=%-]{0,200}\d)[\w.~+/=%-]{8,}"
    rf"|(callbacks{_SLASH}sinch{_SLASH}[^\s/\\%]{{1,100}}{_SLASH}\d{{1,9}}{_SLASH})[\w%-]+"
    r"|((?:signature|access_token|client_secret|key_secret)[\"']?(?:\s|%20)*(?:[:=]|%3[Aa]|%3[Dd])(?:\s|[\"'])*)"
    r"[^\s\"'&,;<>}]+",
    re.IGNORECASE,
)
#: texts without any of these are not searched, because most have none
_ANNOUNCING = ("bearer", "basic", "callbacks", "signature", "access_token", "secret")
_JWT = re.compile(r"\beyJ[\w-]{8,}(?:\.[\w-]*){0,2}")

#: times and addresses of networks look like numbers and are worth reading
_NO_NUMBER = r"\d{4}-\d\d-\d\d[T ]\d\d:[\d:.]*|(?<![\d.+])\d{1,3}(?:\.\d{1,3}){3}(?![\d.])"
#: at least seven digits of any script, with up to three separators between two of them, plain or as in a URL, or with
#: some of them in parentheses. Error codes and statuses are shorter
_NUMBER = r"\d(?:(?:%2[0-9A-Fa-f]|[\s)./\-\u2010-\u2015]){0,3}\d|\s?\(\d{1,5}\)[\s./-]{0,3}(?=\d)){6,}"
_NUMBER_OR_OTHER = re.compile(f"({_NO_NUMBER})|{_NUMBER}")
_CHARACTER = re.compile(r"%2[0-9A-Fa-f]|.")


class _Secrets:
    """The secrets of this process and the pattern that matches them."""

    def __init__(self) -> None:
        self._known: dict[str, None] = {}
        self.pattern: re.Pattern[str] | None = None

    def add(self, value: str) -> None:
        for form in {value, quote(value, safe="")}:
            self._known.pop(form, None)
            self._known[form] = None
        while len(self._known) > _MAX_SECRETS:
            del self._known[next(iter(self._known))]
        # what follows the first characters is removed with them
        starts = "|".join(re.escape(form[:_PREFIX_CHARS]) for form in self._known)
        self.pattern = re.compile(rf"(?:{starts})[\w.~+/=%-]*")


_secrets = _Secrets()


def remember(*values: str) -> None:
    """Remove these values from all later texts. Those of less than ``MIN_SECRET_CHARS`` characters are ignored."""
    for value in values:
        if len(value) >= MIN_SECRET_CHARS:
            _secrets.add(value)


def without_credentials(text: str) -> str:
    """Replace the credentials and signatures in a text, which the caller has cut to a sensible length."""
    if len(text) < MIN_SECRET_CHARS:
        return text
    if _secrets.pattern is not None:
        text = _secrets.pattern.sub(HIDDEN, text)
    if "eyJ" in text:
        text = _JWT.sub(HIDDEN, text)
    lower = text.lower()
    if any(word in lower for word in _ANNOUNCING):
        text = _ANNOUNCED.sub(lambda match: f"{match[1] or match[2] or match[3]}{HIDDEN}", text)
    return text


def with_masked_numbers(text: str) -> str:
    """Replace all digits of fax numbers except the last three; codes, times and network addresses stay."""
    return _NUMBER_OR_OTHER.sub(_mask, text)


def _mask(match: re.Match[str]) -> str:
    if match[1]:
        return match[1]
    characters = _CHARACTER.findall(match[0])
    digits = [index for index, character in enumerate(characters) if character.isdecimal()]
    for index in digits[:-_SHOWN_DIGITS]:
        characters[index] = "*"
    return "".join(characters)
