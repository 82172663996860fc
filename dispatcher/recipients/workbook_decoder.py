"""Decodes the lines that ``workbook_rows`` writes."""

import json

from dispatcher.core.job import RefusedRow
from dispatcher.recipients.columns.columns import Columns
from dispatcher.recipients.columns.options import ColumnOptions
from dispatcher.recipients.errors import UnusableWorkbook
from dispatcher.recipients.lines import ROW_CHARACTERS
from dispatcher.recipients.refusal_reasons import RefusalReason
from dispatcher.recipients.rows import Row, refused
from dispatcher.recipients.table import Table


class WorkbookDecoder:
    """Decodes rows of cells; the first row has the headings."""

    def __init__(self, options: ColumnOptions) -> None:
        self._table = Table(options)
        self._rest = ""

    @property
    def columns(self) -> Columns | None:
        """The columns, as soon as they are known."""
        return self._table.columns

    def feed(self, text: str, final: bool = False) -> list[Row | RefusedRow]:
        """Decode the next text and return the rows that are complete.

        Raises:
            UnusableWorkbook: The workbook cannot be read, or it is not clear which sheet is meant.
            RecipientListError: The columns are not clear; see ``Table``.
        """
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            self._add(json.loads(line))
        return self._table.rows(final)

    def _add(self, value: dict[str, str] | tuple[int, list[str]]) -> None:
        if isinstance(value, dict):
            if "what" in value:
                raise UnusableWorkbook(value["what"], value["what_to_do"])
            return
        line, cells = value
        if sum(map(len, cells)) > ROW_CHARACTERS:
            self._table.refuse(refused(line, "", RefusalReason.TOO_LONG))
        else:
            self._table.add(line, cells)
