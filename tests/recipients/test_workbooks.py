"""Workbooks are read by their stored values, from the sheet that has the numbers."""

import io
from datetime import date
from pathlib import Path

import pytest

from dispatcher.core.job import RefusedRow
from dispatcher.recipients import workbook_rows
from dispatcher.recipients.columns.options import NOTHING_NAMED, ColumnOptions
from dispatcher.recipients.errors import RecipientListError, UnusableWorkbook
from dispatcher.recipients.lines import ROW_CHARACTERS
from dispatcher.recipients.read_rows import RowReader
from dispatcher.recipients.rows import Slice
from tests.recipients.workbooks import Cell, archive, ods, xlsx

ROWS: list[list[Cell]] = [
    ["Company", "Fax", "Country"],
    ["ACME", 12025550143, "US"],
    [],
    ["Beta", "030 23125123", "DE"],
]
OLD = (Path(__file__).parent / "contacts.xls").read_bytes()


def read(data: bytes, sheet: str = "", options: ColumnOptions = NOTHING_NAMED, size: int = 1000) -> Slice:
    output = io.BytesIO()
    workbook_rows.run(io.BytesIO(data), output, sheet, options.number)
    reader = RowReader("", "US", options=options, workbook=True)
    text = output.getvalue()
    parts = [reader.read(text[start : start + size]) for start in range(0, len(text), size)]
    parts.append(reader.read(b"", final=True))
    return Slice([row for part in parts for row in part.accepted], [row for part in parts for row in part.refused])


def lines(data: bytes, sheet: str = "") -> list[tuple[int, str]]:
    rows = read(data, sheet)
    assert rows.refused == []
    return [(row.line, row.number) for row in rows.accepted]


@pytest.mark.parametrize("data", [xlsx({"Contacts": ROWS}), ods({"Contacts": ROWS}), OLD])
@pytest.mark.parametrize("size", [7, 100_000])
def test_rows_have_the_numbers_of_the_sheet(data: bytes, size: int) -> None:
    rows = read(data, size=size)
    assert [(row.line, row.number) for row in rows.accepted] == [(2, "+12025550143"), (4, "+493023125123")]
    assert rows.accepted[0].fields == {"Company": "ACME"}


def test_empty_rows_before_the_headings_are_counted() -> None:
    assert lines(xlsx({"Contacts": ROWS}, first_row=5)) == [(6, "+12025550143"), (8, "+493023125123")]


def test_the_visible_sheet_with_a_column_of_numbers_counts() -> None:
    notes: list[list[Cell]] = [["Notes"], ["x"]]
    empty: list[list[Cell]] = []
    assert lines(xlsx({"Read me": notes, "Empty": empty, "List": ROWS, "Old": ROWS}, hidden=["Old"]))[0][0] == 2


def test_more_than_one_such_sheet_is_asked_about() -> None:
    data = xlsx({"March": ROWS, "April": [["Fax"], ["+12025550199"]]})
    with pytest.raises(UnusableWorkbook, match=r"'March', 'April'.*--sheet"):
        read(data)
    assert lines(data, "April") == [(2, "+12025550199")]
    with pytest.raises(UnusableWorkbook, match="no sheet 'May'"):
        read(data, "May")


def test_a_sheet_is_chosen_by_the_named_column() -> None:
    data = xlsx({"List": ROWS, "More": [["Durchwahl"], ["+12025550199"]]})
    rows = read(data, options=ColumnOptions(number="Durchwahl", no_country=True))
    assert [row.number for row in rows.accepted] == ["+12025550199"]


@pytest.mark.parametrize(
    "data",
    [
        xlsx({"List": [["Name"], ["A"]]}),
        xlsx({"List": [["Business Fax", "Home Fax"], ["1", "2"]]}),
        xlsx({"List": []}),
        archive({"x": "y"}),
        xlsx({"List": ROWS})[:600],
        OLD[:2000],
        b"PK\x03\x04",
    ],
)
def test_a_workbook_that_is_no_list_is_refused_with_a_sentence(data: bytes) -> None:
    with pytest.raises(RecipientListError) as raised:
        read(data)
    assert raised.value.what_to_do


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (12025550143.0, "12025550143"),
        (12025550143, "12025550143"),
        (999_999_999_999_999.0, "999999999999999"),
        (1e15, "1.000000E+15"),
        (123_456_789_012_345_678, "1.234568E+17"),
        (1.5, "1.5"),
        (-5.0, "-5"),
        (True, "true"),
        (False, "false"),
        (None, ""),
        ("0049 30", "0049 30"),
        (date(2026, 11, 28), "2026-11-28"),
    ],
)
def test_the_stored_value_of_a_cell_counts(cell: workbook_rows.Cell, text: str) -> None:
    assert workbook_rows.text_of(cell) == text


def test_a_number_that_lost_digits_is_refused() -> None:
    rows = read(xlsx({"List": [["Fax"], [1.23456789012345e17]]}))
    assert [row.reason for row in rows.refused] == ["damaged_by_spreadsheet"]


def test_a_row_that_is_too_long_is_refused() -> None:
    rows = read(xlsx({"List": [["Fax", "a", "b"], ["+12025550143", "x" * ROW_CHARACTERS, ""], ["+12025550144"]]}))
    assert ([row.line for row in rows.accepted], [row.reason for row in rows.refused]) == ([3], ["too_long"])
    assert isinstance(rows.refused[0], RefusedRow)
