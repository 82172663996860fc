"""Builds small workbooks for tests, as the file formats describe them."""

import io
import zipfile
from collections.abc import Mapping, Sequence
from html import escape

Cell = str | int | float | bool | None
Sheets = Mapping[str, Sequence[Sequence[Cell]]]

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_ODS = "urn:oasis:names:tc:opendocument:xmlns"


def archive(files: Mapping[str, str], first: Mapping[str, str] | None = None) -> bytes:
    """A ZIP archive; the files of ``first`` are not compressed."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archived:
        for name, text in (first or {}).items():
            archived.writestr(name, text, zipfile.ZIP_STORED)
        for name, text in files.items():
            archived.writestr(name, text)
    return data.getvalue()


def xlsx(sheets: Sheets, *, first_row: int = 1, hidden: Sequence[str] = ()) -> bytes:
    """An .xlsx file; the rows of each sheet begin at ``first_row``."""
    return archive(_xlsx_files(sheets, first_row, hidden))


def xlsx_bomb(rows: str, times: int) -> bytes:
    """An .xlsx file with a sheet that has these rows many times; only the compressed file takes memory."""
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archived:
        for name, text in _xlsx_files({"List": []}, 1, ()).items():
            head, place, tail = text.partition("<sheetData>")
            with archived.open(name, "w", force_zip64=True) as file:
                file.write((head + place).encode())
                for _ in range(times if place else 0):
                    file.write(rows.encode())
                file.write(tail.encode())
    return bomb.getvalue()


def _xlsx_files(sheets: Sheets, first_row: int, hidden: Sequence[str]) -> dict[str, str]:
    numbered = list(enumerate(sheets, start=1))
    entries = "".join(
        f'<sheet name="{escape(name)}" sheetId="{number}" r:id="rId{number}"'
        f"{' state=' + chr(34) + 'hidden' + chr(34) if name in hidden else ''}/>"
        for number, name in numbered
    )
    links = "".join(
        f'<Relationship Id="rId{number}" Type="{_OFFICE}/worksheet" Target="worksheets/sheet{number}.xml"/>'
        for number, _ in numbered
    )
    overrides = "".join(
        f'<Override PartName="/xl/worksheets/sheet{number}.xml" ContentType="{_XLSX}.worksheet+xml"/>'
        for number, _ in numbered
    )
    files = {
        "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Default Extension="xml" ContentType="application/xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{_XLSX}.sheet.main+xml"/>{overrides}</Types>',
        "_rels/.rels": f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="rId1" '
        f'Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>{entries}</sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_PACKAGE}/relationships">{links}</Relationships>',
    }
    for number, name in numbered:
        content = "".join(
            f'<row r="{row}">{"".join(_xlsx_cell(row, column, cell) for column, cell in enumerate(cells))}</row>'
            for row, cells in enumerate(sheets[name], start=first_row)
        )
        files[f"xl/worksheets/sheet{number}.xml"] = (
            f'<worksheet xmlns="{_MAIN}"><sheetData>{content}</sheetData></worksheet>'
        )
    return files


def _xlsx_cell(row: int, column: int, cell: Cell) -> str:
    place = f"{chr(ord('A') + column)}{row}"
    match cell:
        case None:
            return ""
        case bool():
            return f'<c r="{place}" t="b"><v>{int(cell)}</v></c>'
        case int() | float():
            return f'<c r="{place}"><v>{cell!r}</v></c>'
    return f'<c r="{place}" t="inlineStr"><is><t>{escape(cell)}</t></is></c>'


def ods(sheets: Sheets) -> bytes:
    """An .ods file."""
    tables = "".join(
        f'<table:table table:name="{escape(name)}">{"".join(map(_ods_row, rows))}</table:table>'
        for name, rows in sheets.items()
    )
    content = (
        f'<office:document-content xmlns:office="{_ODS}:office:1.0" xmlns:table="{_ODS}:table:1.0" '
        f'xmlns:text="{_ODS}:text:1.0"><office:body><office:spreadsheet>{tables}</office:spreadsheet></office:body>'
        "</office:document-content>"
    )
    manifest = f'<manifest:manifest xmlns:manifest="{_ODS}:manifest:1.0"/>'
    files = {"content.xml": content, "META-INF/manifest.xml": manifest}
    return archive(files, {"mimetype": "application/vnd.oasis.opendocument.spreadsheet"})


def _ods_row(cells: Sequence[Cell]) -> str:
    return f"<table:table-row>{''.join(map(_ods_cell, cells))}</table:table-row>"


def _ods_cell(cell: Cell) -> str:
    match cell:
        case None:
            return "<table:table-cell/>"
        case int() | float():
            return (
                f'<table:table-cell office:value-type="float" office:value="{cell!r}"><text:p>1.2E+10</text:p>'
                "</table:table-cell>"
            )
    return f'<table:table-cell office:value-type="string"><text:p>{escape(cell)}</text:p></table:table-cell>'
