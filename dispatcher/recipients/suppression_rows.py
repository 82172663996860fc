"""Reads a do-not-fax list from CSV as it arrives: one entry a line.

An export of the list has the columns number, reason, source, job, added_at and expires_at. Of other lists the number is
read, with country and area code, and a reason if there is one; the columns are recognised as those of recipients are.
A list of recipients may say in a column who has opted out or consented: whoever may be faxed is counted and
left out, and so is an entry that has expired.
"""

import csv
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from dispatcher.core.job import RefusedRow
from dispatcher.core.suppressions import MAX_REASON, SOURCES, Suppression, SuppressionSource, one_line
from dispatcher.core.times import to_ms
from dispatcher.recipients.area_codes import with_area_code
from dispatcher.recipients.columns.columns import fault_of
from dispatcher.recipients.columns.headings import plain
from dispatcher.recipients.columns.options import ColumnOptions
from dispatcher.recipients.columns.permission import has_consent, is_opted_out
from dispatcher.recipients.columns.roles import Refusal, Roles, decide, has_number_column
from dispatcher.recipients.encoding import TextDecoder
from dispatcher.recipients.errors import AmbiguousColumns, EmptyInput, NoNumberColumn, UnusableColumns
from dispatcher.recipients.lines import LineBuffer
from dispatcher.recipients.numbers import RefusedNumber, home_region, normalize_number
from dispatcher.recipients.refusal_reasons import RefusalReason
from dispatcher.recipients.rows import ensure_few_refused, refused

_DELIMITERS = ",;\t|"
#: the heading of the numbers of an export, which is the right one beside any other
_NUMBER = "number"
#: headings of the end of an entry, as ``plain`` writes them, and of a mark that it has ended
_EXPIRES = ("expiresat", "expires", "expireson", "expiry", "expirydate", "expirationdate", "validuntil", "gultigbis")
_EXPIRED = ("expired", "abgelaufen", "expire", "caducado", "scaduto", "verlopen")


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
        #: the headings as ``plain`` writes them
        self._names: Sequence[str] = ()
        self._roles: Roles | None = None
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
        if final and self._roles is None:
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
                if self._roles is None:
                    self._roles = self._roles_of(values)
                    if self._names:
                        return
                yield self._row(values, self._roles)

    def _roles_of(self, values: Sequence[str]) -> Roles:
        """Return the roles of the columns that the first line names, or of an entry without headings."""
        if not has_number_column(values, ColumnOptions()):
            if isinstance(normalize_number(values[0], "", self._region), RefusedNumber):
                raise NoNumberColumn(
                    f"The first line names no column 'number', and {values[0][:40]!r} is no number.",
                    "Name the column of numbers 'number', or send one number a line.",
                    self._line,
                )
            return Roles(0)
        if fault := fault_of(values):
            raise UnusableColumns(fault, "Remove the columns that nobody needs, and shorten long names.", self._line)
        own = [value for value in values if plain(value) == _NUMBER]
        roles = decide(values, [], ColumnOptions(number=own[0]) if len(own) == 1 else ColumnOptions())
        if isinstance(roles, Refusal) or roles.labelled_numbers:
            what = roles.what if isinstance(roles, Refusal) else "The numbers have labels, as those of Google Contacts."
            raise AmbiguousColumns(what, "Name the column of numbers 'number', and no other one.", self._line)
        self._names = [plain(value) for value in values]
        return roles

    def _row(self, values: Sequence[str], roles: Roles) -> Suppression | RefusedRow | None:
        values = [*values, *[""] * (len(self._names) - len(values))]
        if self._may_be_faxed(values, roles):
            return None
        text = values[roles.number].strip()
        country = values[roles.country[0]] if roles.country else ""
        area_code = values[roles.area_code].strip() if roles.area_code >= 0 else ""
        if area_code:
            number = with_area_code(text, area_code, home_region(country, self._region), country)
        else:
            number = normalize_number(text, country, self._region)
        if isinstance(number, RefusedNumber):
            return refused(self._line, text, number.reason, number.sentence)
        source = self._value(values, "source") or self._source.value
        if source not in SOURCES:
            return self._broken(text, f"The source {source[:40]!r} is none of {', '.join(SOURCES)}.")
        try:
            expires_ms = _ms(self._value(values, *_EXPIRES))
        except ValueError:
            return self._broken(text, "The time in expires_at cannot be read; write it as 2027-01-31T00:00:00Z.")
        return Suppression(
            number=number.number,
            source=SuppressionSource(source),
            reason=one_line(self._value(values, "reason").removeprefix("'"))[:MAX_REASON],
            job=one_line(self._value(values, "job"))[:MAX_REASON],
            expires_ms=expires_ms,
        )

    def _may_be_faxed(self, values: Sequence[str], roles: Roles) -> bool:
        """Return whether the entry has expired, or its recipient has not opted out. What is unclear forbids it."""
        if is_opted_out(self._value(values, *_EXPIRED)):
            return True
        out = any(is_opted_out(values[index]) is not False for index in roles.opt_out)
        without = any(has_consent(values[index]) is not True for index in roles.consent)
        return bool(roles.opt_out or roles.consent) and not (out or without)

    def _value(self, values: Sequence[str], *names: str) -> str:
        """Return the value of the first column with one of these names, or ""."""
        index = next((self._names.index(name) for name in names if name in self._names), None)
        return values[index].strip() if index is not None else ""

    def _broken(self, number: str, sentence: str) -> RefusedRow:
        return refused(self._line, number, RefusalReason.BROKEN_ROW, sentence)


def _ms(text: str) -> int:
    """Return a time of the list in milliseconds since 1970; one without an offset is in UTC. Raises ValueError."""
    if not text:
        return 0
    time = datetime.fromisoformat(text)
    return to_ms(time if time.tzinfo else time.replace(tzinfo=UTC))
