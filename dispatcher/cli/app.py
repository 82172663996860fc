"""Assembles the commands of ``bulkfax``."""

import typer

from dispatcher.cli import (
    account,
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
    suppressions,
    up,
    webhooks,
)
from dispatcher.cli.provider import app as provider

app = typer.Typer(
    name="bulkfax",
    help="Queue-backed bulk fax dispatch for the Sinch Fax API.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
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
app.add_typer(policy.app, name="policy", rich_help_panel="Looking after it")
app.add_typer(provider.app, name="provider", rich_help_panel="Looking after it")
app.add_typer(account.app, name="account", rich_help_panel="Looking after it")
app.add_typer(holds.app, name="holds", rich_help_panel="Looking after it")
app.command(rich_help_panel="Looking after it")(doctor.doctor)
app.command(rich_help_panel="Single processes")(services.web)
app.command(rich_help_panel="Single processes")(services.scheduler)
app.command(rich_help_panel="Single processes")(services.worker)
