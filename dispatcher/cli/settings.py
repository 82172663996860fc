"""``settings show``: shows the settings in force, where each comes from, and which API the commands talk to."""

import os
from dataclasses import asdict

import typer
from dotenv import dotenv_values

from dispatcher.cli.output import JsonOption, note, print_json, results
from dispatcher.cli.tables import table
from dispatcher.client import Client

app = typer.Typer(help="The settings of this shell: environment, .env and secret files.", no_args_is_help=True)


@app.command()
def show(as_json: JsonOption = False) -> None:
    """Show the settings in force in this shell and folder, with secrets masked, and where each comes from.

    A server that runs elsewhere may have others.
    """
    from dispatcher.settings import effective_settings  # late: it costs other commands a second

    settings = effective_settings()
    with Client.from_environment() as client:
        url = client.url
    has_key = bool({**dotenv_values(".env"), **os.environ}.get("BULKFAX_API_KEY"))
    if as_json:
        shown = {"api_url": url, "has_api_key": has_key, "settings": [asdict(setting) for setting in settings]}
        print_json(shown)
        return
    grid = table("setting", "value", "from", prose=["value", "from"])
    for setting in settings:
        grid.add_row(setting.variable, setting.value, setting.source or "default")
    results.print(grid)
    with_key = "with BULKFAX_API_KEY" if has_key else "without a key (BULKFAX_API_KEY is not set)"
    note(f"Commands such as `bulkfax batches` talk to {url}, {with_key}.")
