"""``suppressions ...``: the do-not-fax list: list, show, add, remove, import and export its entries."""

from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Annotated, Literal

import typer

from dispatcher.cli.output import CommandFailed, JsonOption, confirm, note, print_json, results
from dispatcher.cli.tables import pairs, refused_table, suppressions_table, when
from dispatcher.cli.times import in_range, time_option
from dispatcher.client import Client, NewSuppression
from dispatcher.core.counted import counted

app = typer.Typer(help="Numbers that must not be faxed: list, add, remove, import, export.", no_args_is_help=True)

NumberArgument = Annotated[str, typer.Argument(metavar="NUMBER", help="Fax number, in any form.")]
Source = Literal["manual", "import", "opt_out", "dead_number"]
SourceOption = Annotated[Source | None, typer.Option(help="Only this source.")]
BatchOption = Annotated[str, typer.Option(help="Only entries that jobs of this batch proved.")]
CountryOption = Annotated[str, typer.Option(help="Country of numbers in national form.")]


@app.command("list")
def list_(
    source: SourceOption = None,
    batch: BatchOption = "",
    limit: Annotated[int, typer.Option(min=1, help="Maximum number of entries.")] = 50,
    as_json: JsonOption = False,
) -> None:
    """List the numbers that must not be faxed."""
    with Client.from_environment() as client:
        entries = list(islice(client.suppressions(source=source or "", batch=batch), limit + 1))
    shown = entries[:limit]
    if as_json:
        suppressions = [entry.model_dump(mode="json") for entry in shown]
        print_json({"suppressions": suppressions, "more": len(entries) > limit})
        return
    results.print(suppressions_table(shown)) if shown else note("No number is on the list.")
    if len(entries) > limit:
        note(f"There are more than {limit}: use --limit to show more, or `bulkfax suppressions export` to get all.")


@app.command()
def show(number: NumberArgument, as_json: JsonOption = False) -> None:
    """Show whether and why a number must not be faxed."""
    with Client.from_environment() as client:
        entry = client.suppression(number)
    if as_json:
        print_json(entry.model_dump(mode="json"))
        return
    facts = {
        "number": entry.number,
        "source": entry.source,
        "reason": entry.reason,
        "proved by": entry.job or "",
        "added": when(entry.added_at),
        "expires": when(entry.expires_at) or "never",
        "": "" if entry.active else "It has expired: the number may be faxed again.",
    }
    results.print(pairs(facts))


@app.command()
def add(
    number: NumberArgument,
    reason: Annotated[str, typer.Option(help="Why, for people.")] = "",
    source: Annotated[
        Literal["manual", "opt_out"], typer.Option(help="opt_out if the recipient asked for it.")
    ] = "manual",
    expires: Annotated[datetime | None, time_option("When the entry ends. Default: never.")] = None,
    country: CountryOption = "",
    as_json: JsonOption = False,
) -> None:
    """Put a number on the list, or edit its entry."""
    new = NewSuppression(
        number=number,
        reason=reason,
        source=source,
        country=country or None,
        expires_at=in_range(expires, "--expires"),
    )
    with Client.from_environment() as client:
        entry = client.suppress(new)
    print_json(entry.model_dump(mode="json")) if as_json else note(f"{entry.number} is on the do-not-fax list")


@app.command()
def remove(
    number: Annotated[str, typer.Argument(metavar="[NUMBER]", help="Fax number, in any form.")] = "",
    source: SourceOption = None,
    batch: BatchOption = "",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Take a number off the list, or all entries of a source."""
    if bool(number) == bool(source):
        raise typer.BadParameter("give a number, or --source and perhaps --batch", param_hint="NUMBER")
    if number and batch:
        raise typer.BadParameter("it goes with --source only", param_hint="--batch")
    if source and not batch:
        confirm(f"Take all numbers of the source {source} off the list?", yes=yes)
    with Client.from_environment() as client:
        answer = client.unsuppress_all(source, batch=batch) if source else client.unsuppress(number)
    if as_json:
        print_json(answer.model_dump(mode="json"))
    else:
        note(f"{answer.removed:,} taken off the do-not-fax list")


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV with a column `number`, or one number a line.")],
    source: Annotated[
        Literal["import", "opt_out", "manual"], typer.Option(help="Source of entries that name none.")
    ] = "import",
    country: CountryOption = "",
    as_json: JsonOption = False,
) -> None:
    """Put the numbers of a CSV file on the list. If lines cannot be read, the others are stored and the status is 1."""
    with Client.from_environment() as client:
        answer = client.import_suppressions(file, source=source, country=country)
    if as_json:
        print_json(answer.model_dump(mode="json"))
    else:
        apart = f"; {counted(answer.left_out, 'line')} left out: not opted out" if answer.left_out else ""
        note(f"{counted(answer.accepted, 'line')} on the do-not-fax list, {counted(answer.added, 'new number')}{apart}")
        if answer.refused_sample:
            results.print(refused_table(answer.refused_sample, "Refused lines"))
    if answer.refused:
        raise CommandFailed(
            f"{counted(answer.refused, 'line')} refused, whose recipients may still be faxed: correct and import "
            "the file again"
        )


@app.command()
def export(
    output: Annotated[Path, typer.Option("--output", "-o", help="File to write.")] = Path("do-not-fax.csv"),
    as_json: JsonOption = False,
) -> None:
    """Write the whole list to a CSV file that `suppressions import` takes."""
    with Client.from_environment() as client:
        size = client.export_suppressions(output)
    if as_json:
        print_json({"file": str(output), "bytes": size})
    else:
        note(f"{output} is written ({counted(size, 'byte')})")
