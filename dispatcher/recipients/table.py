"""A table of text cells: the first row has the headings, and the first rows help to tell what the columns mean."""

from collections.abc import Sequence

from dispatcher.core.job import RefusedRow
from dispatcher.recipients.columns.columns import Columns, UnexpectedValue, fault_of, find_columns
from dispatcher.recipients.columns.options import ColumnOptions
from dispatcher.recipients.columns.roles import Refusal, second_heading, with_line_of_headings
from dispatcher.recipients.errors import UnusableColumns, error_of
from dispatcher.recipients.refusal_reasons import RefusalReason
from dispatcher.recipients.rows import Row, refused

#: rows after which the columns are decided about, and rows or characters after which they have to be clear
SAMPLE_ROWS, SAMPLE_LIMIT, SAMPLE_CHARACTERS = 100, 1_000, 2_000_000
#: rows among which the headings are looked for if titles stand above them
_TITLE_ROWS = 20


class Table:
    """Turns rows of cells into rows of a list.

    The first rows are kept until it is clear which column is which. How many they are depends on the rows alone, so a
    list gives the same rows however it arrives.
    """

    def __init__(self, options: ColumnOptions) -> None:
        self._options = options
        self._names: list[str] | None = None
        self._heading_line = 1
        #: rows that wait for the columns
        self._waiting: list[tuple[int, list[str]] | RefusedRow] = []
        self._characters = 0
        self._rows: list[Row | RefusedRow] = []
        self.columns: Columns | None = None

    @property
    def has_heading(self) -> bool:
        """Whether the headings were read."""
        return self._names is not None

    def rows(self, final: bool) -> list[Row | RefusedRow]:
        """Return the rows that are complete. ``final`` says that there are no more.

        Raises:
            RecipientListError: The columns are not clear.
        """
        if final and self._names is not None and self.columns is None:
            self._decide(final=True)
        rows, self._rows = self._rows, []
        return rows

    def add(self, line: int, values: list[str]) -> None:
        """Add a row of cells; the first one has the headings.

        Raises:
            UnusableColumns: There are too many columns, or too long a name.
            RecipientListError: The columns are not clear.
        """
        columns = self.columns
        if columns is not None:
            try:
                self._rows.append(
                    columns.row(line, values) if len(values) == columns.width else _fitted(line, values, columns)
                )
            except UnexpectedValue as unexpected:
                raise error_of(unexpected.refusal, line) from unexpected
        elif self._names is None:
            self._head(line, values)
        else:
            self._wait((line, values), sum(map(len, values)))

    def refuse(self, row: RefusedRow) -> None:
        """Add a row that cannot be read."""
        if self.columns is not None:
            self._rows.append(row)
        else:
            self._wait(row, 0)

    def _head(self, line: int, names: list[str]) -> None:
        fault = fault_of(names)
        if fault is not None:
            raise UnusableColumns(fault, "Remove the columns that nobody needs, and shorten long names.", line)
        self._names, self._heading_line = names, line

    def _wait(self, row: tuple[int, list[str]] | RefusedRow, characters: int) -> None:
        self._waiting.append(row)
        self._characters += characters
        if len(self._waiting) % SAMPLE_ROWS == 0 or self._characters >= SAMPLE_CHARACTERS:
            self._decide(final=len(self._waiting) >= SAMPLE_LIMIT or self._characters >= SAMPLE_CHARACTERS)

    def _decide(self, final: bool) -> None:
        """Decide about the columns, and read the rows that waited for it."""
        names = self._names or []
        width = len(names)
        rows = [row for row in self._waiting if not isinstance(row, RefusedRow)]
        sample = [(values + [""] * (width - len(values)))[:width] for _, values in rows]
        first = next((values for _, values in rows if any(values)), None)
        refusal = second_heading(first, self._options) if first else None
        columns = refusal or find_columns(names, sample, self._options)
        if isinstance(columns, Refusal):
            if columns.undecided and not final:
                return
            columns = with_line_of_headings(columns, names, rows[:_TITLE_ROWS], self._options)
            raise error_of(columns, self._heading_line)
        self.columns = columns
        waiting, self._waiting = self._waiting, []
        for row in waiting:
            if isinstance(row, RefusedRow):
                self._rows.append(row)
            else:
                self.add(*row)


def _fitted(line: int, values: Sequence[str], columns: Columns) -> Row | RefusedRow:
    """Fill up a row with missing fields; refuse a row with more fields than the header has columns."""
    missing = columns.width - len(values)
    if missing > 0:
        return columns.row(line, [*values, *[""] * missing])
    if not any(values[columns.width :]):
        return columns.row(line, values[: columns.width])
    sentence = f"The row has {len(values)} fields, but the header names {columns.width}; quote fields with delimiters."
    return refused(line, values[columns.number], RefusalReason.BROKEN_ROW, sentence)
