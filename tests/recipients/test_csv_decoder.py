"""CSV as it comes out of databases and spreadsheets is read row by row, and nothing in it is lost."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.core.job import RefusedRow
from dispatcher.recipients.csv_decoder import CsvDecoder
from dispatcher.recipients.errors import (
    AmbiguousColumns,
    DuplicateColumn,
    NoNumberColumn,
    NotText,
    SecondHeading,
    UnusableColumns,
)
from dispatcher.recipients.lines import ROW_CHARACTERS
from dispatcher.recipients.refusal_reasons import RefusalReason
from dispatcher.recipients.rows import Row


def decode(text: str, size: int = 10) -> list[Row | RefusedRow]:
    decoder = CsvDecoder()
    rows: list[Row | RefusedRow] = []
    for start in range(0, len(text), size):
        rows += decoder.feed(text[start : start + size])
    return rows + decoder.feed("", final=True)


def lines_and_numbers(text: str, size: int = 10) -> list[tuple[int, str]]:
    return [(row.line, row.number) for row in decode(text, size)]


@pytest.mark.parametrize("size", [1, 3, 1000])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_told_by_the_header(delimiter: str, size: int) -> None:
    text = 'id/fax/"name; of, it"\n7/+1/"A/B"\n'.replace("/", delimiter)
    assert decode(text, size) == [Row(2, "+1", "", "7", {"name; of, it": f"A{delimiter}B"})]


def test_a_single_column_needs_no_delimiter() -> None:
    assert lines_and_numbers("fax\n+1\n+2") == [(2, "+1"), (3, "+2")]


def test_a_separator_line_of_excel_is_obeyed_and_counted() -> None:
    assert lines_and_numbers("sep=|\nfax|name, first\n+1|x\n") == [(3, "+1")]


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_heading_may_have_several_lines(size: int) -> None:
    assert lines_and_numbers('"Firma, Name\nund Ort";"Fax-\nNummer"\n"A, B";+1\n', size) == [(4, "+1")]


def test_a_header_whose_quotation_mark_is_not_closed_is_refused() -> None:
    with pytest.raises(NoNumberColumn):
        decode('"Fax;Name\n1;A\n')


@pytest.mark.parametrize("size", [1, 4, 1000])
def test_lines_are_physical_lines_whatever_is_quoted_or_blank(size: int) -> None:
    text = '\nfax,note\n\n+1,"two\nlines"\n\n+2,"say ""hi"""\n+3,x'
    assert decode(text, size) == [
        Row(4, "+1", "", "", {"note": "two\nlines"}),
        Row(7, "+2", "", "", {"note": 'say "hi"'}),
        Row(8, "+3", "", "", {"note": "x"}),
    ]


def test_a_row_that_ends_early_is_filled_up_and_empty_surplus_is_ignored() -> None:
    assert decode("fax,a,b\n+1\n+2,x,y,,\n") == [
        Row(2, "+1", "", "", {"a": "", "b": ""}),
        Row(3, "+2", "", "", {"a": "x", "b": "y"}),
    ]


def test_a_row_with_more_fields_than_columns_is_refused() -> None:
    (row,) = decode("fax,name\n+1,Smith, Ltd\n")
    assert isinstance(row, RefusedRow)
    assert (row.line, row.number, row.reason) == (2, "+1", RefusalReason.BROKEN_ROW)
    assert "3 fields" in row.detail


@pytest.mark.parametrize("size", [1, 5, 1000])
def test_a_stray_quotation_mark_takes_no_other_row_with_it(size: int) -> None:
    text = 'fax,name\n+1,"ACME\n+2,"B, C"\n+3,D\n+4,"E"x\n+5,F "the" G\n'
    rows = decode(text, size)
    assert [(row.line, isinstance(row, RefusedRow)) for row in rows] == [
        (2, True),
        (3, False),
        (4, False),
        (5, True),
        (6, False),
    ]
    assert rows[0] == RefusedRow(
        line=2,
        number='+1,"ACME',
        reason=RefusalReason.BROKEN_ROW,
        detail="A quotation mark in this row is not closed properly.",
    )


@pytest.mark.parametrize("size", [999, 16384, 10**6])
def test_a_quotation_mark_that_is_never_closed_costs_one_row(size: int) -> None:
    text = 'fax,name\n+1,"ACME\n' + "+2,name\n" * 20_000
    rows = decode(text, size)
    assert isinstance(rows[0], RefusedRow)
    assert [row.line for row in rows] == list(range(2, 20_003))
    assert not any(isinstance(row, RefusedRow) for row in rows[1:])


@pytest.mark.parametrize("size", [1000, 16384, 10**6])
def test_a_line_that_is_too_long_is_refused_and_the_next_one_read(size: int) -> None:
    text = "fax,name\n+1,a\n+2," + "x" * ROW_CHARACTERS + "\n+3,c\n"
    rows = decode(text, size)
    assert [(row.line, row.number[:3]) for row in rows] == [(2, "+1"), (3, "+2,"), (4, "+3")]
    assert isinstance(rows[1], RefusedRow)
    assert rows[1].reason == RefusalReason.TOO_LONG


def test_a_header_without_a_number_column_names_what_it_found() -> None:
    with pytest.raises(NoNumberColumn, match="found 'company', 'mail'") as caught:
        decode("company;mail\nACME;a@example.com\n")
    assert caught.value.line == 1


def test_data_without_a_header_is_refused() -> None:
    with pytest.raises(NoNumberColumn, match="first line"):
        decode("+12025550143,ACME\n")


def test_two_columns_of_one_name_are_refused() -> None:
    with pytest.raises(DuplicateColumn, match="'Fax'"):
        decode("fax,Fax\n+1,+2\n")


def test_a_header_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(NoNumberColumn, match="cannot be read"):
        decode('fax,"name\n')
    with pytest.raises(NotText):
        decode("x" * (ROW_CHARACTERS + 1) + "\n")


def test_an_empty_text_has_no_rows() -> None:
    assert decode("") == []
    assert decode("fax\n") == []


CELLS = st.text(alphabet='ab"\n;, é', max_size=8)


@given(st.lists(st.tuples(CELLS, CELLS), max_size=20), st.integers(1, 40))
def test_what_the_csv_module_writes_is_read_back_from_chunks_of_any_size(
    cells: list[tuple[str, str]], size: int
) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows([("fax", "name"), *cells])
    rows = decode(text.getvalue(), size)
    assert [(row.number, row.fields["name"]) for row in rows if isinstance(row, Row)] == cells


@given(st.text(alphabet='ab";\n', max_size=80), st.integers(1, 30))
def test_rows_and_refusals_do_not_depend_on_where_chunks_end(body: str, size: int) -> None:
    """Whatever the quotation marks do, every line begins at most one row, in order."""
    rows = decode("fax;name\n" + body, size)
    lines = [row.line for row in rows]
    assert lines == sorted(set(lines))
    assert rows == decode("fax;name\n" + body, 1000)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("fax," + ",".join(f"c{index}" for index in range(9_000)), "9,001 columns; a list may have 400"),
        ("fax," + "x" * 201, "name has 201 characters; it may have 200"),
    ],
)
def test_a_header_that_would_be_stored_with_every_row_is_bounded(header: str, message: str) -> None:
    with pytest.raises(UnusableColumns, match=message):
        CsvDecoder().feed(f"{header}\n", final=True)


@pytest.mark.parametrize(
    ("header", "row", "name"),
    [
        ("Company, Ltd.;Fax;Name, First, Last", "A;+1;B", "Company, Ltd."),
        ("Street; City; ZIP,Fax", "x,+1", "Street; City; ZIP"),
        ("a,b,c,d|Fax Number", "x|+1", "a,b,c,d"),
        ("Name (last, first, middle)\tFax", "x\t+1", "Name (last, first, middle)"),
    ],
)
def test_the_delimiter_is_the_one_that_gives_a_number_column(header: str, row: str, name: str) -> None:
    (decoded,) = decode(f"{header}\n{row}\n")
    assert isinstance(decoded, Row)
    assert decoded.number == "+1"
    assert name in decoded.fields


@pytest.mark.parametrize(
    "second",
    [
        "Name,City,Voice,Fax",
        ",,,Fax Number",
        "Firma,Ort,Telefon,Telefax",
        "Société,Pays,Téléphone,",
        "Empresa,País,,",
        "Name,Country,Tel.,No.",
        "Ditta,Nazione,Telefono,",
        "Bedrijf,Land,,Faxnummer",
        "Contact,Vorwahl,,",
        "x,Area Code,,Number",
    ],
)
def test_a_second_row_of_headings_is_refused(second: str) -> None:
    with pytest.raises(SecondHeading, match="second row of headings"):
        decode(f"Company,Address,Telephone,\n{second}\nACME,Washington,202-555-0100,202-555-0143\n")


@pytest.mark.parametrize("first", ["n/a,A,", ",Fax Ltd.,1 Main Street", "+1,prefers fax,", "none,,"])
def test_a_first_row_of_data_is_no_second_heading(first: str) -> None:
    assert [row.line for row in decode(f"Fax,Notes,Street\n{first}\n+1,,\n")] == [2, 3]


EMPTY = "+1,,a\n" * 99


@pytest.mark.parametrize("size", [7, 1000, 10**6])
def test_the_first_hundred_rows_tell_which_columns_are_empty(size: int) -> None:
    header = "Business Fax,Home Fax,Name\n"
    assert len(decode(f"{header}{EMPTY}+1,,b\n+1,,c\n", size)) == 101
    with pytest.raises(AmbiguousColumns, match="Line 1: More than one column"):
        decode(f"{header}{EMPTY}+1,+2,b\n", size)
    with pytest.raises(AmbiguousColumns, match="Line 103: There is a value in the column 'Home Fax'"):
        decode(f"{header}{EMPTY}+1,,b\n+1,,b\n+1,+2,c\n", size)


@pytest.mark.parametrize("size", [999, 10**6])
def test_columns_that_are_all_empty_wait_for_a_value(size: int) -> None:
    text = "Business Fax,Home Fax,Name\n" + ",,a\n" * 500
    rows = decode(f"{text},+2,b\n" + ",,a\n" * 400, size)
    assert [row.number for row in rows if row.number] == ["+2"]
    assert len(rows) == 901
    with pytest.raises(AmbiguousColumns):
        decode(text + ",,a\n" * 600, size)
