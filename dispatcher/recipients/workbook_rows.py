"""Writes the rows of a workbook as JSON lines. It runs in a child process, because a workbook may be built to do harm.

The first line is an object: ``{"sheet": name}``, or ``{"what": sentence, "what_to_do": sentence}`` for a workbook that
cannot be used. Each other line is an array of a row's number in the sheet and the texts of its cells.
"""

import json
from collections.abc import Iterator, Sequence
from datetime import date, time, timedelta
from typing import IO

from python_calamine import CalamineError, CalamineWorkbook, PasswordError, SheetTypeEnum, SheetVisibleEnum

from dispatcher.recipients.columns.options import ColumnOptions
from dispatcher.recipients.columns.roles import has_number_column

#: whole numbers below this are stored exactly; larger ones have lost digits
_EXACT = 10**15
_SAVE_AS_CSV = "Save the sheet as CSV in UTF-8 and send that file."

Cell = int | float | str | bool | time | date | timedelta | None
Rows = Iterator[tuple[int, Sequence[Cell]]]


def run(source: IO[bytes], output: IO[bytes], sheet: str = "", number_column: str = "") -> None:
    """Write the rows of a sheet.

    Args:
        source: The workbook.
        output: Gets the lines.
        sheet: Name of the sheet; if empty, the only one with a column of numbers.
        number_column: Heading of the column with the numbers; if empty, it is recognised.
    """
    try:
        workbook = CalamineWorkbook.from_filelike(source)
        name = _chosen(workbook, sheet, ColumnOptions(number=number_column))
        rows = _rows(workbook, name)
        _write(output, {"sheet": name})
        for line, cells in rows:
            _write(output, [line, [text_of(cell) for cell in cells]])
    except PasswordError:
        _write(output, {"what": "The workbook needs a password.", "what_to_do": "Save it without a password."})
    except CalamineError:
        _write(output, {"what": "This is not a workbook, or it is damaged.", "what_to_do": _SAVE_AS_CSV})
    except _UnclearSheet as unclear:
        _write(output, {"what": unclear.what, "what_to_do": unclear.what_to_do})


class _UnclearSheet(Exception):
    """Raised when nobody can be sure which sheet is meant; never leaves this module."""

    def __init__(self, what: str, what_to_do: str) -> None:
        super().__init__(what)
        self.what = what
        self.what_to_do = what_to_do


def text_of(cell: Cell) -> str:
    """Return the stored value of a cell as text: a whole number as its digits, without an exponent."""
    match cell:
        case None:
            return ""
        case bool():
            return "true" if cell else "false"
        case float() if cell.is_integer() and abs(cell) < _EXACT:
            return str(int(cell))
        case float():
            return f"{cell:E}" if abs(cell) >= _EXACT else repr(cell)
        case int() if abs(cell) >= _EXACT:
            return f"{cell:E}"
        case date() | time():
            return cell.isoformat()
    return str(cell)


def _chosen(workbook: CalamineWorkbook, sheet: str, options: ColumnOptions) -> str:
    names = [
        metadata.name
        for metadata in workbook.sheets_metadata
        if metadata.typ == SheetTypeEnum.WorkSheet and metadata.visible == SheetVisibleEnum.Visible
    ]
    if sheet:
        if sheet not in workbook.sheet_names:
            raise _UnclearSheet(f"There is no sheet '{sheet}'; there is {_quoted(names)}.", _NAME_IT)
        return sheet
    filled = [name for name in names if next(_rows(workbook, name), None) is not None]
    with_numbers = [name for name in filled if has_number_column(_headings(workbook, name), options)]
    if len(with_numbers) > 1:
        raise _UnclearSheet(f"More than one sheet has a column of numbers: {_quoted(with_numbers)}.", _NAME_IT)
    if not filled:
        raise _UnclearSheet("The workbook has no visible sheet with rows.", _SAVE_AS_CSV)
    # without a column of numbers, the refusal of the first sheet names its headings
    return (with_numbers or filled)[0]


_NAME_IT = "Name the sheet: sheet=NAME (on the command line, --sheet NAME)."


def _headings(workbook: CalamineWorkbook, name: str) -> list[str]:
    _, cells = next(_rows(workbook, name))
    return [text_of(cell) for cell in cells]


def _rows(workbook: CalamineWorkbook, name: str) -> Rows:
    """Yield the rows that are not empty, each with its number in the sheet."""
    for line, cells in enumerate(workbook.get_sheet_by_name(name).iter_rows(), start=1):
        if any(cell not in ("", None) for cell in cells):
            yield line, cells


def _write(output: IO[bytes], value: dict[str, str] | Sequence[object]) -> None:
    output.write(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace") + b"\n")


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names[:20])
