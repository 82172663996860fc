"""The shapes that go through the intake. Named tuples, because a million of them are made per batch."""

from typing import NamedTuple

from dispatcher.api.intake.reasons import Reason

#: Characters of a refused number that are kept for the report.
SHOWN_CHARACTERS = 40


class Row(NamedTuple):
    """One row as it was sent, text not yet looked at."""

    line: int
    number: str
    country: str
    reference: str
    fields: dict[str, str]


class Recipient(NamedTuple):
    """One accepted row: ``number`` is E.164, ``region`` ISO 3166 alpha-2 (``001`` for numbers of no country)."""

    line: int
    number: str
    region: str
    reference: str
    fields: dict[str, str]


class RefusedRow(NamedTuple):
    """One row that is not faxed: ``number`` as it was given, cut to 40 characters, and why."""

    line: int
    number: str
    reason: Reason
    sentence: str


class Slice(NamedTuple):
    """Rows in the order of the input; ``last_line`` is the last line (or item) that they account for."""

    accepted: list[Recipient]
    refused: list[RefusedRow]
    last_line: int


def refused(line: int, number: str, reason: Reason, sentence: str = "") -> RefusedRow:
    """Refuse a row for a reason, with a sentence of its own or the reason's."""
    return RefusedRow(line, number[:SHOWN_CHARACTERS], reason, sentence or reason.sentence)
