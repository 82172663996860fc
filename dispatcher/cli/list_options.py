"""Options of ``send`` about the columns of the list."""

from collections.abc import Sequence
from typing import Annotated, Any, NamedTuple

import typer
from rich.table import Table

from dispatcher.cli.option_groups import with_options
from dispatcher.cli.tables import table
from dispatcher.client import FirstRow, UsedColumns
from dispatcher.core.counted import counted


def _option(help_text: str, *names: str) -> Any:
    return typer.Option(*names, help=help_text, rich_help_panel="Columns of the list")


class ListColumns(NamedTuple):
    """What the caller says about the columns of the list, and which of its numbers are dialled."""

    number_column: Annotated[str, _option("Heading of the column with the fax numbers.")] = ""
    country_column: Annotated[str, _option("Heading of the column with the countries.")] = ""
    no_country: Annotated[
        bool, _option("The list has no country column, whatever its headings say.", "--no-country")
    ] = False
    area_code_column: Annotated[str, _option("Heading of the column with the area codes.")] = ""
    reference_column: Annotated[str, _option("Heading of the column with your own ids.")] = ""
    opt_out_column: Annotated[str, _option("Heading of a column whose true values mean: do not send.")] = ""
    consent_column: Annotated[str, _option("Heading of a column whose true values allow sending; no others.")] = ""
    sheet: Annotated[str, _option("Name of the sheet, if a workbook has several with numbers.")] = ""
    ignore_dead_numbers: Annotated[
        bool,
        _option(
            "Dial numbers, too, that are on the do-not-fax list only because calls proved them dead.",
            "--ignore-dead-numbers",
        ),
    ] = False
    dry_run: Annotated[
        bool, _option("Show the first rows as they would be dialled. Nothing is stored or sent.", "--dry-run")
    ] = False


#: gives a command the options of ``ListColumns``; it gets them as its parameter ``columns``
with_list_columns = with_options("columns", ListColumns)


def columns_text(columns: UsedColumns) -> str:
    """Return one line that says which columns were used and what was assumed."""
    parts = [f'number: "{columns.number}"' if columns.number else "number: the whole row"]
    country = f'"{columns.country}"' if columns.country else "none"
    if columns.assumed_rows:
        country += f", {columns.assumed_country} assumed for {counted(columns.assumed_rows, 'row')}"
    parts.append(f"country: {country}")
    others = {
        "area code": columns.area_code,
        "reference": columns.reference,
        "opt-out": columns.opt_out,
        "consent": columns.consent,
    }
    return "; ".join([*parts, *(f'{role}: "{name}"' for role, name in others.items() if name)])


def first_rows_table(rows: Sequence[FirstRow]) -> Table:
    """Return a table of the first rows as they would be dialled."""
    grid = table("line", "number", "country", "reference", title="Would be dialled", numbers=["line"])
    for row in rows:
        grid.add_row(str(row.line), row.number, row.region, row.reference)
    return grid
