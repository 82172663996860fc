"""``provider numbers ...``: the numbers of a service.

They are assigned in the provider's dashboard only.
"""

from typing import Annotated

import typer

from dispatcher.cli.output import JsonOption, note, print_json, results
from dispatcher.cli.provider.provider_call import ServiceOption, call_provider, collect, service_or_default
from dispatcher.cli.provider.tables import as_json as number_json
from dispatcher.cli.tables import table
from dispatcher.sinch.client import FaxClient
from dispatcher.sinch.models import ServiceNumber

app = typer.Typer(help="Numbers of a service and their email addresses.", no_args_is_help=True)


@app.command("list")
def list_(service: ServiceOption = "", as_json: JsonOption = False) -> None:
    """List the numbers of a service."""

    async def read(client: FaxClient) -> list[ServiceNumber]:
        return await collect(client.services.walk_numbers(await service_or_default(client, service)))

    numbers = call_provider(read)
    if as_json:
        print_json({"numbers": [number_json(number) for number in numbers]})
        return
    if not numbers:
        note("The service has no number. Numbers are assigned in the provider's dashboard.")
        return
    rows = table("number", "permissions")
    for number in numbers:
        rows.add_row(number.phone_number, number.permissions)
    results.print(rows)


@app.command()
def emails(
    number: Annotated[str, typer.Argument(metavar="NUMBER", help="As in +12025550100.")],
    service: ServiceOption = "",
    as_json: JsonOption = False,
) -> None:
    """List the email addresses of a number."""

    async def read(client: FaxClient) -> list[str]:
        return await collect(client.emails.walk_of_number(await service_or_default(client, service), number))

    addresses = call_provider(read)
    if as_json:
        print_json({"emails": addresses})
        return
    if not addresses:
        note(f"{number} has no email address.")
    for address in addresses:
        results.print(address, soft_wrap=True)
