"""``holds ...``: what stops sending, and letting it go on by hand."""

from typing import Annotated

import typer

from dispatcher.cli.output import JsonOption, note, print_json, results
from dispatcher.cli.tables import account_facts, holds_table
from dispatcher.client import Client

app = typer.Typer(
    help="What stops sending: refused credentials, no funds, a document that fails.", no_args_is_help=True
)


@app.command("list")
def list_(as_json: JsonOption = False) -> None:
    """All holds, and how the account's rate is used."""
    with Client.from_environment() as client:
        account = client.account()
    if as_json:
        print_json(account.model_dump(mode="json"))
        return
    results.print(account_facts(account))
    results.print(holds_table(account.holds)) if account.holds else note("Nothing is held.")


@app.command()
def release(
    scope: Annotated[str, typer.Argument(metavar="SCOPE", help="As `holds list` shows it.")],
    as_json: JsonOption = False,
) -> None:
    """Send again at once, without waiting for the probe. Mend the cause first."""
    with Client.from_environment() as client:
        client.release_hold(scope)
    if as_json:
        print_json({"released": scope})
    else:
        note(f"{scope} is released")
