"""``holds ...``: lists the holds that stop sending, and releases them."""

from typing import Annotated

import typer

from dispatcher.cli.output import JsonOption, note, print_json, results
from dispatcher.cli.tables import account_facts, holds_table
from dispatcher.client import Client

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
    scope: Annotated[str, typer.Argument(metavar="SCOPE", help="As `holds list` shows it.")],
    as_json: JsonOption = False,
) -> None:
    """Release a hold, so that sending resumes without waiting for its probe. Fix the cause first."""
    with Client.from_environment() as client:
        client.release_hold(scope)
    if as_json:
        print_json({"released": scope})
    else:
        note(f"{scope} is released")
