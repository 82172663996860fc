"""Assembles the commands of ``bulkfax``."""

from importlib.metadata import version as distribution_version
from typing import Annotated

import typer

from dispatcher.cli import (
    account,
    alive,
    batches,
    demo,
    doctor,
    documents,
    emulator,
    holds,
    jobs,
    numbers,
    policy,
    preview,
    send,
    services,
    settings,
    status,
    suppressions,
    up,
    webhooks,
)
from dispatcher.cli.output import results
from dispatcher.cli.provider import app as provider

app = typer.Typer(
    name="bulkfax",
    help="Queue-backed bulk fax dispatch for the Sinch Fax API.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


def _print_version(asked: bool) -> None:
    if asked:
        results.print(f"bulkfax {distribution_version('bulkfax')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[  # its callback prints it
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def _alive(context: typer.Context) -> None:
    """Check, without Redis, that the processes of a service move; [bold]--help[/bold] shows the options."""
    raise typer.Exit(alive.main(context.args))


app.command(rich_help_panel="Try and run")(demo.demo)
app.command(rich_help_panel="Try and run")(up.up)
app.command(rich_help_panel="Try and run", **emulator.PASS_ON)(emulator.emulator)
app.command(rich_help_panel="Mailings")(send.send)
app.command(rich_help_panel="Mailings")(preview.preview)
app.add_typer(batches.app, name="batches", rich_help_panel="Mailings")
app.add_typer(jobs.app, name="jobs", rich_help_panel="Mailings")
app.add_typer(numbers.app, name="numbers", rich_help_panel="Mailings")
app.add_typer(documents.app, name="documents", rich_help_panel="Mailings")
app.add_typer(suppressions.app, name="suppressions", rich_help_panel="Mailings")
app.add_typer(webhooks.app, name="webhooks", rich_help_panel="Mailings")
app.command(rich_help_panel="Looking after it")(status.status)
app.add_typer(policy.app, name="policy", rich_help_panel="Looking after it")
app.add_typer(settings.app, name="settings", rich_help_panel="Looking after it")
app.add_typer(provider.app, name="provider", rich_help_panel="Looking after it")
app.add_typer(account.app, name="account", rich_help_panel="Looking after it")
app.add_typer(holds.app, name="holds", rich_help_panel="Looking after it")
app.command(rich_help_panel="Looking after it")(doctor.doctor)
app.command(rich_help_panel="Single processes")(services.web)
app.command(rich_help_panel="Single processes")(services.scheduler)
app.command(rich_help_panel="Single processes")(services.worker)
app.command(rich_help_panel="Single processes", name="alive", **emulator.PASS_ON)(_alive)
