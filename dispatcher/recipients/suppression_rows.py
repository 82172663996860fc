"""Reads a do-not-fax list from CSV as it arrives: one entry a line.

An export of the list has the columns number, reason, source, job, added_at and expires_at. Of other lists the number is
read, and a reason if there is one. A list of recipients may say in a column who has opted out: its other rows are
counted and left out, because they may be faxed.
"""

import csv
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from dispatcher.core.job import RefusedRow
from dispatcher.core.suppressions import MAX_REASON, SOURCES, Suppression, SuppressionSource, one_line
from dispatcher.core.times import to_ms
from dispatcher.recipients.columns.headings import Subject, read_heading
from dispatcher.recipients.columns.permission import is_opted_out
from dispatcher.recipients.encoding import TextDecoder
from dispatcher.recipients.errors import EmptyInput, NoNumberColumn
from dispatcher.recipients.lines import LineBuffer
from dispatcher.recipients.numbers import RefusedNumber, normalize_number
from dispatcher.recipients.refusal_reasons import RefusalReason
from dispatcher.recipients.rows import ensure_few_refused, refused

#: headings of the column of numbers
_NUMBER_HEADINGS = ("number", "fax", "fax number", "fax_number")
_DELIMITERS = ",;\t|"


class SuppressionRows(NamedTuple):
    """Consecutive rows of a list."""

    accepted: list[Suppression]
    refused: list[RefusedRow]
    #: rows of recipients who have not opted out, in a list that says so
    left_out: int = 0


class SuppressionReader:
    """Reads one list, piece by piece. Reading is CPU work: callers do it outside the event loop."""

    def __init__(self, source: SuppressionSource, region: str) -> None:
        """Create a reader.

        Args:
            source: Source of entries that name none.
            region: Region (ISO 3166 alpha-2) of numbers in national form; empty if there is none.
        """
        self._source = source
        self._region = region or None
        self._text = TextDecoder()
        self._lines = LineBuffer()
        self._line = 0
        self._delimiter = ""
        #: names of the columns, in lower case
        self._columns: Sequence[str] = ()
        #: those of them that say who has opted out
        self._opt_outs: Sequence[str] = ()
        self._refused = 0

    def read(self, piece: bytes, final: bool = False) -> SuppressionRows:
        """Read the next piece of the list. ``final`` marks its end.

        Raises:
            RecipientListError: The rest of the list cannot be read.
        """
        accepted: list[Suppression] = []
        refused_rows: list[RefusedRow] = []
        left_out = 0
        for block in self._lines.feed(self._text.feed(piece, final), final):
            for line in [block.text] if block.too_long else block.text.splitlines():
                self._line += 1
                for row in self._rows_of(line, too_long=block.too_long):
                    if isinstance(row, Suppression):
                        accepted.append(row)
                    elif row:
                        refused_rows.append(row)
                    else:
                        left_out += 1
        self._refused += len(refused_rows)
        if refused_rows:
            ensure_few_refused(self._refused, refused_rows[-1], "Correct the list and send it again.")
        if final and not self._columns:
            raise EmptyInput("There is no number in the list.", "Send at least one row.")
        return SuppressionRows(accepted, refused_rows, left_out)

    def _rows_of(self, line: str, *, too_long: bool) -> Iterator[Suppression | RefusedRow | None]:
        """Yield the entry of a line, why it is refused, or None if the recipient has not opted out.

        The first line may name the columns.
        """
        if too_long:
            yield refused(self._line, line, RefusalReason.TOO_LONG)
        elif line.strip():
            self._delimiter = self._delimiter or max(_DELIMITERS, key=line.count)
            try:
                values = next(csv.reader([line], delimiter=self._delimiter, strict=True))
            except csv.Error:
                yield refused(self._line, line, RefusalReason.BROKEN_ROW)
            else:
                if self._columns or not self._takes_header(values):
                    yield self._row(dict(zip(self._columns, values, strict=False)))

    def _takes_header(self, values: Sequence[str]) -> bool:
        """Take the names of the columns from the first line. Returns False if it is an entry already."""
        names = [value.strip().lower() for value in values]
        number = next((name for name in _NUMBER_HEADINGS if name in names), None)
        if number is not None:
            self._columns = ["number" if name == number else name for name in names]
            self._opt_outs = [name for name in names if read_heading(name).subject is Subject.OPT_OUT]
            return True
        if isinstance(normalize_number(values[0], "", self._region), RefusedNumber):
            raise NoNumberColumn(
                f"The first line names no column 'number', and {values[0][:40]!r} is no number.",
                "Name the column of numbers 'number', or send one number a line.",
                self._line,
            )
        self._columns = ["number"]
        return False

    def _row(self, values: dict[str, str]) -> Suppression | RefusedRow | None:
        if self._opt_outs and all(is_opted_out(values.get(name, "")) is False for name in self._opt_outs):
            return None
        text = values.get("number", "").strip()
        number = normalize_number(text, values.get("country", ""), self._region)
        if isinstance(number, RefusedNumber):
            return refused(self._line, text, number.reason, number.sentence)
        source = values.get("source", "").strip() or self._source.value
        if source not in SOURCES:
            return self._broken(text, f"The source {source[:40]!r} is none of {', '.join(SOURCES)}.")
        try:
            expires_ms = _ms(values.get("expires_at", "").strip())
        except ValueError:
            return self._broken(text, "The time in expires_at cannot be read; write it as 2027-01-31T00:00:00Z.")
        return Suppression(
            number=number.number,
            source=SuppressionSource(source),
            reason=one_line(values.get("reason", "").removeprefix("'"))[:MAX_REASON],
            job=values.get("job", "").strip()[:MAX_REASON],
            expires_ms=expires_ms,
        )

    def _broken(self, number: str, sentence: str) -> RefusedRow:
        return refused(self._line, number, RefusalReason.BROKEN_ROW, sentence)


def _ms(text: str) -> int:
    """Return a time of the list in milliseconds since 1970; one without an offset is in UTC. Raises ValueError."""
    if not text:
        return 0
    time = datetime.fromisoformat(text)
    return to_ms(time if time.tzinfo else time.replace(tzinfo=UTC))
