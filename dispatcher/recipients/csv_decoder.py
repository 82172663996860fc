"""Decodes CSV into rows: four delimiters, quoted fields over several lines, unreadable rows refused one by one."""

import csv
import io
import re

from dispatcher.core.job import RefusedRow
from dispatcher.recipients.columns.columns import Columns
from dispatcher.recipients.columns.options import NOTHING_NAMED, ColumnOptions
from dispatcher.recipients.columns.roles import has_number_column
from dispatcher.recipients.errors import NoNumberColumn, NotText
from dispatcher.recipients.lines import ROW_CHARACTERS, Block, LineBuffer
from dispatcher.recipients.refusal_reasons import RefusalReason
from dispatcher.recipients.rows import Row, refused
from dispatcher.recipients.table import Table

#: the most frequent one in the header that gives a number column is used; of equally frequent ones, the first
_DELIMITERS = ",;\t|"
_QUOTED = re.compile(r'"[^"]*"')
#: the first row; its end is a quotation mark if that is not closed
_HEADER = re.compile(r'(?:[^"\n]+|"[^"]*")*')
#: the line with which Excel names the delimiter
_SEPARATOR_LINE = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)
_NAME_THE_COLUMNS = "Name the columns in the first line, one of them 'number' or 'fax'."


class CsvDecoder:
    """Decodes CSV text as it arrives; the first line names the columns.

    Where a row cannot be read, only its first line is refused and reading continues with the next line. A stray
    quotation mark therefore hides no other row.
    """

    def __init__(self, options: ColumnOptions = NOTHING_NAMED) -> None:
        self._options = options
        self._lines = LineBuffer()
        self._line = 1
        #: lines of a row whose quoted field is still open
        self._open = ""
        self._delimiter = ""
        #: the beginning of a header whose quoted name is still open
        self._start = ""
        self._table = Table(options)

    @property
    def columns(self) -> Columns | None:
        """The columns, as soon as they are known."""
        return self._table.columns

    def feed(self, text: str, final: bool = False) -> list[Row | RefusedRow]:
        """Decode the next text and return the rows that are complete.

        Args:
            text: The text that follows the text of the call before.
            final: Whether this is the end of the input.

        Raises:
            NoNumberColumn: The header cannot be read.
            NotText: The first line is too long to be a header.
            RecipientListError: The columns of the header are not clear; see ``Table``.
        """
        for block in self._lines.feed(text, final):
            self._feed_block(block)
        if final:
            self._read(self._open + self._after_delimiter("", final=True), final=True)
        return self._table.rows(final)

    def _feed_block(self, block: Block) -> None:
        if not block.too_long:
            self._read(self._open + self._after_delimiter(block.text), final=False)
            return
        if not self._table.has_heading:
            raise NotText("The first line is too long to be a header.", _NAME_THE_COLUMNS, self._line)
        self._read(self._open, final=True)
        self._refuse_line(block.text, RefusalReason.TOO_LONG)

    def _after_delimiter(self, text: str, final: bool = False) -> str:
        """Choose the delimiter from the first row that is not blank, and remove a ``sep=`` line before it.

        Excel writes a heading with a line break as a quoted name over several lines.
        """
        text, self._start = self._start + text, ""
        while text and not self._delimiter:
            line, _, after = text.partition("\n")
            separator = _SEPARATOR_LINE.fullmatch(line)
            if separator is None and line.strip():
                header = _HEADER.match(text)
                end = header.end() if header else 0
                if text[end : end + 1] == '"' and not final and len(text) <= ROW_CHARACTERS:
                    self._start = text
                    return ""
                self._delimiter = _guess_delimiter(text[:end] if text[end : end + 1] != '"' else line, self._options)
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
                    self._table.add(first + done, values)
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
        if not self._table.has_heading:
            raise NoNumberColumn("The header cannot be read.", _NAME_THE_COLUMNS, self._line)
        line, _, after = text.partition("\n")
        self._table.refuse(refused(self._line, line, reason, sentence))
        self._line += 1
        return after


def _guess_delimiter(line: str, options: ColumnOptions) -> str:
    names = _QUOTED.sub("", line)
    by_count = sorted(_DELIMITERS, key=names.count, reverse=True)
    present = (delimiter for delimiter in by_count if delimiter in names)
    return next((delimiter for delimiter in present if _gives_number(line, delimiter, options)), by_count[0])


def _gives_number(line: str, delimiter: str, options: ColumnOptions) -> bool:
    """Return whether the line has a number column if it is split by this delimiter and by no other."""
    names = next(csv.reader(io.StringIO(line, newline="\n"), delimiter=delimiter), [])
    others = _DELIMITERS.replace(delimiter, "")
    return has_number_column([name for name in names if not any(other in name for other in others)], options)
