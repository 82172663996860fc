"""``holds ...``: lists the holds that stop sending, and releases them."""

import sys
from typing import Annotated

import typer

from dispatcher.cli.output import JsonOption, YesOption, confirm, note, notes, print_json, results
from dispatcher.cli.tables import account_facts, holds_table
from dispatcher.client import CATEGORIES, Client
from dispatcher.core.closed_sets import unknown_word
from dispatcher.core.counted import counted

app = typer.Typer(
    help="Holds that stop sending, such as refused credentials, no funds or a document that fails.",
    no_args_is_help=True,
)


@app.command("list")
def list_(as_json: JsonOption = False) -> None:
    """List all holds, and show how much of the account's rate is used."""
    with Client.from_environment() as client:
        account = client.account()
    if as_json:
        print_json(account.model_dump(mode="json"))
        return
    results.print(account_facts(account))
    results.print(holds_table(account.holds)) if account.holds else note("Nothing is held.")


@app.command()
def release(
    scope: Annotated[str, typer.Argument(metavar="[SCOPE]", help="As `holds list` shows it.")] = "",
    category: Annotated[str, typer.Option(help="All holds of this category.")] = "",
    batch: Annotated[str, typer.Option(help="The hold of this batch, and all of its jobs.")] = "",
    everything: Annotated[bool, typer.Option("--all", help="All holds.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show which holds these are.")] = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Release holds, so that sending resumes without waiting for a probe. Fix the cause first.

    Without a scope, name holds by --category, by --batch, by both, or --all. It says first how many these are.
    """
    if bool(scope) == bool(category or batch or everything) or (scope and dry_run):
        raise typer.BadParameter("name a scope, or holds by --category, --batch or --all", param_hint="SCOPE")
    if category and category not in CATEGORIES:
        raise typer.BadParameter(unknown_word(category, CATEGORIES), param_hint="--category")
    with Client.from_environment() as client:
        if scope:
            client.release_hold(scope)
            print_json({"released": scope}) if as_json else note(f"{scope} is released")
            return
        done = client.release_holds(category=category, batch=batch, everything=everything, dry_run=True)
        if done.holds and not as_json:
            notes.print(holds_table(done.holds))
        if not dry_run and done.released:
            confirm(f"Release {counted(done.released, 'hold')}?", yes=yes or not sys.stdin.isatty())
            done = client.release_holds(category=category, batch=batch, everything=everything)
    if as_json:
        print_json(done.model_dump(mode="json"))
        return
    kept = f"; {counted(done.kept, 'hold')} for lost writes: see `bulkfax account resume`" if done.kept else ""
    note(f"{counted(done.released, 'hold')} {'would be ' if dry_run else ''}released{kept}")
