"""Decodes CSV into rows: three delimiters, quoted fields over several lines, unreadable rows refused one by one."""

import csv
import io
import re

from dispatcher.core.job import RefusedRow
from dispatcher.recipients.columns import Columns, duplicate_name, fault_of, find_columns
from dispatcher.recipients.errors import DuplicateColumn, NoNumberColumn, NotText, UnusableColumns
from dispatcher.recipients.lines import ROW_CHARACTERS, Block, LineBuffer
from dispatcher.recipients.refusal_reasons import RefusalReason
from dispatcher.recipients.rows import Row, refused

#: the most frequent one in the header is used; of equally frequent ones, the first
_DELIMITERS = ",;\t"
_QUOTED = re.compile(r'"[^"]*"')
#: the line with which Excel names the delimiter
_SEPARATOR_LINE = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)
_NAME_THE_COLUMNS = "Name the columns in the first line, one of them 'number' or 'fax'."


class CsvDecoder:
    """Decodes CSV text as it arrives; the first line names the columns.

    Where a row cannot be read, only its first line is refused and reading continues with the next line. A stray
    quotation mark therefore hides no other row.
    """

    def __init__(self) -> None:
        self._lines = LineBuffer()
        self._line = 1
        #: lines of a row whose quoted field is still open
        self._open = ""
        self._delimiter = ""
        self._columns: Columns | None = None
        self._rows: list[Row | RefusedRow] = []

    def feed(self, text: str, final: bool = False) -> list[Row | RefusedRow]:
        """Decode the next text and return the rows that are complete.

        Args:
            text: The text that follows the text of the call before.
            final: Whether this is the end of the input.

        Raises:
            NoNumberColumn: No column of the header is a fax number, or the header cannot be read.
            DuplicateColumn: Two columns of the header have the same name.
            UnusableColumns: The header has too many columns, or too long a name.
            NotText: The first line is too long to be a header.
        """
        for block in self._lines.feed(text, final):
            self._feed_block(block)
        if final:
            self._read(self._open, final=True)
        rows, self._rows = self._rows, []
        return rows

    def _feed_block(self, block: Block) -> None:
        if not block.too_long:
            self._read(self._open + self._after_delimiter(block.text), final=False)
            return
        if self._columns is None:
            raise NotText("The first line is too long to be a header.", _NAME_THE_COLUMNS, self._line)
        self._read(self._open, final=True)
        self._refuse_line(block.text, RefusalReason.TOO_LONG)

    def _after_delimiter(self, text: str) -> str:
        """Choose the delimiter from the first line that is not blank, and remove a ``sep=`` line before it."""
        while text and not self._delimiter:
            line, _, after = text.partition("\n")
            separator = _SEPARATOR_LINE.fullmatch(line)
            if separator is None and line.strip():
                self._delimiter = _guess_delimiter(line)
                break
            self._delimiter = separator.group(1) if separator else ""
            self._line += 1
            text = after
        return text

    def _read(self, text: str, final: bool) -> None:
        """Read rows from whole lines, and keep the lines of an incomplete row for the next text."""
        self._open = ""
        while text:
            text = self._read_to_fault(text)
            if text and self._may_be_completed(text) and not final:
                self._open = text
                return
            if text:
                text = self._refuse_line(
                    text, RefusalReason.BROKEN_ROW, "A quotation mark in this row is not closed properly."
                )

    def _read_to_fault(self, text: str) -> str:
        """Read rows up to the first that cannot be read, and return the text from there on, or ""."""
        reader = csv.reader(io.StringIO(text, newline="\n"), delimiter=self._delimiter, strict=True)
        first, done = self._line, 0
        try:
            for values in reader:
                if reader.line_num > done + 1 and sum(map(len, values)) > ROW_CHARACTERS:
                    break
                if values:
                    self._add_row(first + done, values)
                done = reader.line_num
            else:
                text = ""
        except csv.Error:
            pass
        self._line = first + done
        return text.split("\n", done)[done] if text else ""

    def _may_be_completed(self, text: str) -> bool:
        """Return whether more text may complete the row at the start of the text."""
        if len(text) > ROW_CHARACTERS:
            return False
        lines = io.StringIO(text, newline="\n")
        try:
            next(csv.reader(lines, delimiter=self._delimiter, strict=True))
        except csv.Error:
            return not lines.read(1)
        return False

    def _refuse_line(self, text: str, reason: RefusalReason, sentence: str = "") -> str:
        """Refuse the first line of the text and return the others."""
        if self._columns is None:
            raise NoNumberColumn("The header cannot be read.", _NAME_THE_COLUMNS, self._line)
        line, _, after = text.partition("\n")
        self._rows.append(refused(self._line, line, reason, sentence))
        self._line += 1
        return after

    def _add_row(self, line: int, values: list[str]) -> None:
        columns = self._columns
        if columns is None:
            self._columns = _header(line, values)
        elif len(values) == columns.width:
            self._rows.append(columns.row(line, values))
        else:
            self._rows.append(_fitted(line, values, columns))


def _guess_delimiter(line: str) -> str:
    names = _QUOTED.sub("", line)
    return max(_DELIMITERS, key=names.count)


def _header(line: int, names: list[str]) -> Columns:
    fault = fault_of(names)
    if fault is not None:
        raise UnusableColumns(fault, "Remove the columns that nobody needs, and shorten long names.", line)
    duplicate = duplicate_name(names)
    if duplicate is not None:
        raise DuplicateColumn(f"Two columns are named '{duplicate}'.", "Rename or remove one of them.", line)
    columns = find_columns(names)
    if columns is None:
        present = ", ".join(f"'{name.strip()[:40]}'" for name in names[:20])
        raise NoNumberColumn(f"No column is named as the fax number; found {present}.", _NAME_THE_COLUMNS, line)
    return columns


def _fitted(line: int, values: list[str], columns: Columns) -> Row | RefusedRow:
    """Fill up a row with missing fields; refuse a row with more fields than the header has columns."""
    missing = columns.width - len(values)
    if missing > 0:
        return columns.row(line, values + [""] * missing)
    if not any(values[columns.width :]):
        return columns.row(line, values[: columns.width])
    sentence = f"The row has {len(values)} fields, but the header names {columns.width}; quote fields with delimiters."
    return refused(line, values[columns.number], RefusalReason.BROKEN_ROW, sentence)
