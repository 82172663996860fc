"""``provider check``: do credentials, service, sender number and callback address work?"""

import re
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Annotated

import typer
from rich.text import Text

from dispatcher.cli.output import JsonOption, print_json, results
from dispatcher.cli.provider.checks import Checked, Expected, at_provider, of_callbacks
from dispatcher.cli.provider.provider_call import ask
from dispatcher.cli.provider.test_fax import send_trial
from dispatcher.cli.tables import table
from dispatcher.settings import load_settings
from dispatcher.sinch.client import FaxClient

_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_MARKS = {True: Text("ok", "green"), False: Text("wrong", "red"), None: Text("open", "yellow")}


def check(
    service: Annotated[str, typer.Option(help="Id of the service; the project's default if not given.")] = "",
    sender: Annotated[str, typer.Option(help="Number that faxes come from; the service's if not given.")] = "",
    test_fax: Annotated[
        bool, typer.Option("--test-fax", help="Send a page to the provider's free test number, and wait for its end.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Whether credentials, service, sender number and callback URL work. Exit status 1 when one does not."""
    if sender and not _E164.fullmatch(sender):
        raise typer.BadParameter("give the number in the form +12025550100", param_hint="--sender")
    settings = load_settings()
    wanted = Expected(base_url=settings.sinch.base_url, service=service, sender=sender)
    found = ask(_with(wanted))
    ready = all(one.ok is not False for one in found)
    found.append(of_callbacks(settings.public_url, settings.sinch.base_url))
    if test_fax and ready:
        found.append(ask(lambda client: send_trial(client, wanted), "sending a page to the test number"))
    fine = all(one.ok is not False for one in found)
    print_json({"ok": fine, "checks": [asdict(one) for one in found]}) if as_json else _show(found)
    if not fine:
        raise typer.Exit(1)


def _with(wanted: Expected) -> Callable[[FaxClient], Awaitable[list[Checked]]]:
    return lambda client: at_provider(client, wanted)


def _show(found: list[Checked]) -> None:
    made = table("", "check", "finding", prose=["finding"])
    for one in found:
        made.add_row(_MARKS[one.ok], one.check, Text(one.text))
    results.print(made)
