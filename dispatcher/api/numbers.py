"""Reads the numbers by which a request names jobs."""

from collections.abc import Iterable

from dispatcher.recipients.numbers import AcceptedNumber, normalize_number
from dispatcher.service.errors import InvalidInput

_ADVICE = "this is no fax number: write it with a plus sign and its country code"


def meanings(text: str, country: str) -> frozenset[str]:
    """Return the numbers in E.164 that a text may mean: people leave out the plus sign."""
    national = normalize_number(text, default_region=country or None)
    international = normalize_number(f"+{text.strip().lstrip('+')}")
    return frozenset(number.number for number in (national, international) if isinstance(number, AcceptedNumber))


def e164_of(texts: Iterable[str], country: str) -> frozenset[str]:
    """Return numbers in E.164. Raises InvalidInput for a text that is no number."""
    numbers = set[str]()
    for position, text in enumerate(texts):
        if text.strip().startswith("+"):
            number = normalize_number(text)
        else:
            number = normalize_number(text, default_region=country or None)
        if not isinstance(number, AcceptedNumber):
            raise InvalidInput({f"numbers[{position}]": _ADVICE})
        numbers.add(number.number)
    return frozenset(numbers)
