"""``provider numbers ...``: the numbers of a service. They are attached in the provider's dashboard only."""

from typing import Annotated

import typer

from dispatcher.cli.output import JsonOption, note, print_json, results
from dispatcher.cli.provider.provider_call import ServiceOption, ask, gathered, service_or_default
from dispatcher.cli.provider.tables import as_json as number_json
from dispatcher.cli.tables import table
from dispatcher.sinch.client import FaxClient
from dispatcher.sinch.models import ServiceNumber

app = typer.Typer(help="Numbers of a service, and who gets their faxes by mail.", no_args_is_help=True)


@app.command("list")
def list_(service: ServiceOption = "", as_json: JsonOption = False) -> None:
    """The numbers of a service."""

    async def read(client: FaxClient) -> list[ServiceNumber]:
        return await gathered(client.services.walk_numbers(await service_or_default(client, service)))

    numbers = ask(read)
    if as_json:
        print_json({"numbers": [number_json(number) for number in numbers]})
        return
    if not numbers:
        note("The service has no number. Numbers are attached to it in the provider's dashboard.")
        return
    made = table("number", "permissions")
    for number in numbers:
        made.add_row(number.phone_number, number.permissions)
    results.print(made)


@app.command()
def emails(
    number: Annotated[str, typer.Argument(metavar="NUMBER", help="As in +12025550100.")],
    service: ServiceOption = "",
    as_json: JsonOption = False,
) -> None:
    """The mail addresses of a number."""

    async def read(client: FaxClient) -> list[str]:
        return await gathered(client.emails.walk_of_number(await service_or_default(client, service), number))

    addresses = ask(read)
    if as_json:
        print_json({"emails": addresses})
        return
    if not addresses:
        note(f"{number} has no mail address.")
    for address in addresses:
        results.print(address, markup=False, soft_wrap=True)
