"""The ``bulkfax`` command: its parts put together, and the one place where errors become sentences.

Exit status: 0 done, 1 it could not be done, 2 it was asked for in a wrong way.
"""

import os
import sys

import typer

from dispatcher.cli import account, batches, demo, doctor, emulator, holds, jobs, policy, send, services, up
from dispatcher.cli.output import note, notes
from dispatcher.cli.provider import app as provider
from dispatcher.core.policy import PolicyError
from dispatcher.settings import SettingsError

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
app.add_typer(batches.app, name="batches", rich_help_panel="Mailings")
app.add_typer(jobs.app, name="jobs", rich_help_panel="Mailings")
app.add_typer(policy.app, name="policy", rich_help_panel="Looking after it")
app.add_typer(provider.app, name="provider", rich_help_panel="Looking after it")
app.add_typer(account.app, name="account", rich_help_panel="Looking after it")
app.add_typer(holds.app, name="holds", rich_help_panel="Looking after it")
app.command(rich_help_panel="Looking after it")(doctor.doctor)
app.command(rich_help_panel="Single processes")(services.web)
app.command(rich_help_panel="Single processes")(services.scheduler)
app.command(rich_help_panel="Single processes")(services.worker)

USAGE = 2
FAILURE = 1


def run() -> None:
    """Entry point. Errors go to standard error as one sentence, never as a stack trace."""
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:  # noqa: BLE001  # the top: nothing reaches people as a stack trace
        sys.exit(_report(error))


def _report(error: Exception) -> int:
    if os.environ.get("BULKFAX_LOG_LEVEL", "").lower() == "debug":
        notes.print_exception()
    status = _known(error)
    if status is None:
        note(f"error: something unexpected happened ({type(error).__name__}: {error})")
        note("Run it again with BULKFAX_LOG_LEVEL=debug to see where.")
        return FAILURE
    note(f"error: {error}")
    return status


def _known(error: Exception) -> int | None:
    """The exit status of an error of ours, whose text is meant for people by rule; None for others."""
    if isinstance(error, SettingsError | PolicyError):
        return USAGE
    return FAILURE if type(error).__module__.startswith("dispatcher.") else None
