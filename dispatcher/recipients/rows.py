"""Rows of a recipient list, before they become the recipients and refused rows of ``core``."""

from typing import NamedTuple

from dispatcher.core.job import Recipient, RefusedRow
from dispatcher.recipients.errors import TooManyRefused
from dispatcher.recipients.refusal_reasons import RefusalReason

#: characters of a refused number that are kept for the report
MAX_REPORTED_CHARACTERS = 40
#: refused rows of a list after which the rest is not read
MAX_REFUSED_ROWS = 100_000


class Row(NamedTuple):
    """One row as it was sent; its texts are not yet checked."""

    line: int
    number: str
    country: str
    reference: str
    fields: dict[str, str]
    area_code: str = ""


class Slice(NamedTuple):
    """Consecutive rows of the input; both lists are sorted by line, or JSON item."""

    accepted: list[Recipient]
    refused: list[RefusedRow]


def refused(line: int, number: str, reason: RefusalReason, sentence: str = "") -> RefusedRow:
    """Return a refused row; without a ``sentence`` of its own it has the sentence of the reason."""
    detail = sentence or reason.sentence
    return RefusedRow(line=line, number=number[:MAX_REPORTED_CHARACTERS], reason=reason.value, detail=detail)


def ensure_few_refused(count: int, last: RefusedRow, what_to_do: str) -> None:
    """Raise TooManyRefused if ``count`` rows of a list are too many. ``last`` is the last of them."""
    if count > MAX_REFUSED_ROWS:
        what = f"More than {MAX_REFUSED_ROWS:,} rows of the list are refused. Of this one: {last.detail}"
        raise TooManyRefused(what, what_to_do, last.line)
