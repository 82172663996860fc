"""``provider emails ...``: fax to email, the addresses that send and receive faxes with the numbers of a service."""

from collections.abc import Sequence
from typing import Annotated

import typer

from dispatcher.cli.output import JsonOption, confirm, note, print_json, results
from dispatcher.cli.provider.provider_call import (
    ServiceOption,
    YesOption,
    call_provider,
    collect,
    service_or_default,
)
from dispatcher.cli.provider.tables import as_json as email_json
from dispatcher.cli.provider.tables import details_table, email_numbers_table, emails_table
from dispatcher.sinch.client import FaxClient
from dispatcher.sinch.models import Email, EmailNumber

app = typer.Typer(help="Fax to email: addresses that send and receive faxes.", no_args_is_help=True)

_PERMISSIONS = ("both", "send", "receive")
_EmailArgument = Annotated[str, typer.Argument(metavar="EMAIL", help="The email address.")]
_Numbers = Annotated[
    list[str],
    typer.Option("--number", help="Number that it may use, as in +12025550100 or +12025550100:receive. Repeatable."),
]


@app.command("list")
def list_(service: ServiceOption = "", as_json: JsonOption = False) -> None:
    """List the email addresses of a service."""

    async def read(client: FaxClient) -> list[Email]:
        return await collect(client.emails.iter_all(await service_or_default(client, service)))

    emails = call_provider(read)
    if as_json:
        print_json({"emails": [email_json(email) for email in emails]})
    else:
        results.print(emails_table(emails)) if emails else note("The service has no email address.")


@app.command()
def show(email: _EmailArgument, service: ServiceOption = "", as_json: JsonOption = False) -> None:
    """List the numbers of an address."""

    async def read(client: FaxClient) -> list[EmailNumber]:
        return await collect(client.emails.walk_numbers(await service_or_default(client, service), email))

    numbers = call_provider(read)
    if as_json:
        print_json({"email": email, "phoneNumbers": [email_json(number) for number in numbers]})
    else:
        results.print(email_numbers_table(numbers)) if numbers else note(f"{email} has no number.")


@app.command()
def create(email: _EmailArgument, number: _Numbers, service: ServiceOption = "", as_json: JsonOption = False) -> None:
    """Add an address that may use numbers of the service."""
    numbers = _numbers(number)

    async def add(client: FaxClient) -> Email:
        return await client.emails.add(await service_or_default(client, service), email, numbers)

    _show(call_provider(add), as_json=as_json)


@app.command()
def update(email: _EmailArgument, number: _Numbers, service: ServiceOption = "", as_json: JsonOption = False) -> None:
    """Replace the numbers of an address."""
    numbers = _numbers(number)

    async def change(client: FaxClient) -> Email:
        return await client.emails.update(await service_or_default(client, service), email, numbers)

    _show(call_provider(change), as_json=as_json)


@app.command()
def delete(
    email: _EmailArgument, service: ServiceOption = "", yes: YesOption = False, as_json: JsonOption = False
) -> None:
    """Remove an address from a service."""
    confirm(f"Delete {email} from the service?", yes=yes)

    async def remove(client: FaxClient) -> None:
        await client.emails.delete(await service_or_default(client, service), email)

    call_provider(remove)
    print_json({"deleted": email}) if as_json else note(f"{email} is deleted")


def _numbers(options: Sequence[str]) -> list[EmailNumber]:
    """Parse the values of ``--number``.

    Raises:
        typer.BadParameter: the provider does not know the permissions.
    """
    numbers = [option.partition(":") for option in options]
    for _, _, permissions in numbers:
        if permissions not in ("", *_PERMISSIONS):
            raise typer.BadParameter(f"{permissions} is not one of {', '.join(_PERMISSIONS)}", param_hint="--number")
    return [EmailNumber(number=number, permissions=permissions or "both") for number, _, permissions in numbers]


def _show(email: Email, *, as_json: bool) -> None:
    print_json(email_json(email)) if as_json else results.print(details_table(email))
