"""``provider emails ...``: fax to email: which addresses send and receive on which numbers of a service."""

from collections.abc import Sequence
from typing import Annotated

import typer

from dispatcher.cli.output import JsonOption, note, print_json, results
from dispatcher.cli.provider.provider_call import ServiceOption, YesOption, ask, confirm, gathered, service_or_default
from dispatcher.cli.provider.tables import as_json as email_json
from dispatcher.cli.provider.tables import email_numbers_table, emails_table, facts
from dispatcher.sinch.client import FaxClient
from dispatcher.sinch.models import Email, EmailNumber

app = typer.Typer(help="Fax to email: addresses that send and receive faxes.", no_args_is_help=True)

_PERMISSIONS = ("both", "send", "receive")
_EmailArgument = Annotated[str, typer.Argument(metavar="EMAIL", help="The mail address.")]
_Numbers = Annotated[
    list[str],
    typer.Option("--number", help="Number it may use, as in +12025550100, or +12025550100:receive. May repeat."),
]


@app.command("list")
def list_(service: ServiceOption = "", as_json: JsonOption = False) -> None:
    """The mail addresses of a service."""

    async def read(client: FaxClient) -> list[Email]:
        return await gathered(client.emails.walk(await service_or_default(client, service)))

    emails = ask(read)
    if as_json:
        print_json({"emails": [email_json(email) for email in emails]})
    else:
        results.print(emails_table(emails)) if emails else note("The service has no mail address.")


@app.command()
def show(email: _EmailArgument, service: ServiceOption = "", as_json: JsonOption = False) -> None:
    """The numbers of one address."""

    async def read(client: FaxClient) -> list[EmailNumber]:
        return await gathered(client.emails.walk_numbers(await service_or_default(client, service), email))

    numbers = ask(read)
    if as_json:
        print_json({"email": email, "phoneNumbers": [email_json(number) for number in numbers]})
    else:
        results.print(email_numbers_table(numbers)) if numbers else note(f"{email} has no number.")


@app.command()
def create(email: _EmailArgument, number: _Numbers, service: ServiceOption = "", as_json: JsonOption = False) -> None:
    """Let an address use numbers of the service."""
    numbers = _numbers(number)

    async def add(client: FaxClient) -> Email:
        return await client.emails.add(await service_or_default(client, service), email, numbers)

    _show(ask(add), as_json=as_json)


@app.command()
def update(email: _EmailArgument, number: _Numbers, service: ServiceOption = "", as_json: JsonOption = False) -> None:
    """Replace the numbers of an address: those not named are taken from it."""
    numbers = _numbers(number)

    async def change(client: FaxClient) -> Email:
        return await client.emails.update(await service_or_default(client, service), email, numbers)

    _show(ask(change), as_json=as_json)


@app.command()
def delete(
    email: _EmailArgument, service: ServiceOption = "", yes: YesOption = False, as_json: JsonOption = False
) -> None:
    """Take an address out of a service."""
    confirm(f"Delete {email} from the service?", yes=yes)

    async def remove(client: FaxClient) -> None:
        await client.emails.delete(await service_or_default(client, service), email)

    ask(remove)
    print_json({"deleted": email}) if as_json else note(f"{email} is deleted")


def _numbers(given: Sequence[str]) -> list[EmailNumber]:
    """Raises typer.BadParameter for permissions that the provider does not know."""
    numbers = [text.partition(":") for text in given]
    for _, _, permissions in numbers:
        if permissions not in ("", *_PERMISSIONS):
            raise typer.BadParameter(f"{permissions} is none of {', '.join(_PERMISSIONS)}", param_hint="--number")
    return [EmailNumber(number=number, permissions=permissions or "both") for number, _, permissions in numbers]


def _show(email: Email, *, as_json: bool) -> None:
    print_json(email_json(email)) if as_json else results.print(facts(email))
