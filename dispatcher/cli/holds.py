"""``holds ...``: lists the holds that stop sending, and releases them."""

import sys
from typing import Annotated

import typer

from dispatcher.cli.hold_lines import hold_lines
from dispatcher.cli.job_options import ensure_categories
from dispatcher.cli.output import JsonOption, YesOption, confirm, note, notes, print_json, results
from dispatcher.cli.tables import account_facts
from dispatcher.client import Client
from dispatcher.core.counted import counted

app = typer.Typer(
    help="Holds that stop sending, such as refused credentials, no funds or a document that fails.",
    no_args_is_help=True,
)


@app.command("list")
def list_(
    category: Annotated[list[str] | None, typer.Option(help="Only this category; may be repeated.")] = None,
    batch: Annotated[str, typer.Option(help="Only holds that stop this batch, a part of it, or jobs of it.")] = "",
    single: Annotated[bool, typer.Option("--single", help="Show each held job on lines of its own.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Maximum number of holds.")] = 50,
    after: Annotated[str, typer.Option(help="Only holds behind this one: the next page.")] = "",
    as_json: JsonOption = False,
) -> None:
    """List holds, the widest first, and show how much of the account's rate is used.

    Jobs of one batch that are held for one category stand together.
    """
    ensure_categories(category)
    with Client.from_environment() as client:
        page = client.holds_page(
            categories=tuple(category or ()), batch=batch, fold=not single, after=after, limit=limit
        )
        account = client.account()
    if as_json:
        print_json(account.model_dump(mode="json") | page.model_dump(mode="json"))
        return
    results.print(account_facts(account))
    if not page.holds:
        note("Nothing that matches is held." if category or batch else "Nothing is held.")
        return
    results.print(hold_lines(page.holds), soft_wrap=True)
    note("Fix the cause first: a hold whose cause is still there returns.")
    if page.next:
        note(f"{counted(page.total, 'entry', 'entries')} in all. The next: bulkfax holds list --after {page.next}")


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
    ensure_categories([category] if category else None)
    with Client.from_environment() as client:
        if scope:
            _release(client, scope, as_json=as_json)
            return
        done = client.release_holds(category=category, batch=batch, everything=everything, dry_run=True)
        if done.holds and not as_json:
            notes.print(hold_lines(done.holds), soft_wrap=True)
        if not dry_run and done.released:
            confirm(f"Release {counted(done.released, 'hold')}?", yes=yes or not sys.stdin.isatty())
            done = client.release_holds(category=category, batch=batch, everything=everything)
    if as_json:
        print_json(done.model_dump(mode="json"))
        return
    kept = f"; {counted(done.kept, 'hold')} for lost writes: see `bulkfax account resume`" if done.kept else ""
    note(f"{counted(done.released, 'hold')} {'would be ' if dry_run else ''}released{kept}")


def _release(client: Client, scope: str, *, as_json: bool) -> None:
    was_held = client.release_hold(scope).removed > 0
    if as_json:
        print_json({"released": scope if was_held else None})
    else:
        note(f"{scope} is released" if was_held else f"nothing is held under {scope} (any more)")
