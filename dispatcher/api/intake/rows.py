"""The shapes that go through the intake, on the way to the recipients and refused rows of the core."""

from typing import NamedTuple

from dispatcher.api.intake.reasons import RefusalReason
from dispatcher.core.job import Recipient, RefusedRow

#: Characters of a refused number that are kept for the report.
SHOWN_CHARACTERS = 40


class Row(NamedTuple):
    """One row as it was sent, text not yet looked at."""

    line: int
    number: str
    country: str
    reference: str
    fields: dict[str, str]


class Slice(NamedTuple):
    """Rows in the order of the input; ``last_line`` is the last line (or item) that they account for."""

    accepted: list[Recipient]
    refused: list[RefusedRow]
    last_line: int


def refused(line: int, number: str, reason: RefusalReason, sentence: str = "") -> RefusedRow:
    """Refuse a row for a reason, with a sentence of its own or the reason's."""
    detail = sentence or reason.sentence
    return RefusedRow(line=line, number=number[:SHOWN_CHARACTERS], reason=reason.value, detail=detail)
