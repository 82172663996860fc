"""What ``provider check`` looks at, and what it says of it."""

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

from dispatcher.cli.output import CommandFailed
from dispatcher.cli.provider.provider_call import gathered, sentence, service_or_default
from dispatcher.client import Client, ClientError, NotReachable
from dispatcher.sinch.client import FaxClient
from dispatcher.sinch.errors import SinchError
from dispatcher.sinch.models import Service

#: how long the callback address is asked
_PATIENCE_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What to check: empty texts mean what the project has set."""

    base_url: str
    service: str = ""
    sender: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """One finding. ``ok`` None means that nobody can tell from here."""

    check: str
    ok: bool | None
    text: str


async def at_provider(client: FaxClient, wanted: Expected) -> list[Checked]:
    """Credentials, service and sender, as far as one after the other works."""
    try:
        await client.check()
    except SinchError as error:
        return [Checked(check="credentials", ok=False, text=sentence(error, wanted.base_url))]
    found = [Checked(check="credentials", ok=True, text=f"{wanted.base_url} takes them")]
    try:
        service = await client.services.get(await service_or_default(client, wanted.service))
        numbers = [number.phone_number for number in await gathered(client.services.walk_numbers(service.id))]
    except CommandFailed as error:
        return [*found, Checked(check="service", ok=False, text=str(error))]
    except SinchError as error:
        return [*found, Checked(check="service", ok=False, text=sentence(error, wanted.base_url))]
    return [*found, _of_service(service), of_sender(wanted.sender or service.default_from, numbers)]


def _of_service(service: Service) -> Checked:
    default = ", the project's default" if service.default_for_project else ""
    return Checked(check="service", ok=True, text=f"{service.name or 'no name'} ({service.id}){default}")


def of_sender(sender: str, numbers: list[str]) -> Checked:
    """Whether faxes may come from a number, as far as the numbers of the service tell."""
    if not sender:
        text = "none is set: the provider then takes one of its own, or refuses; name one with --sender"
        return Checked(check="sender", ok=None, text=text)
    if sender in numbers:
        return Checked(check="sender", ok=True, text=f"{sender} belongs to the service")
    text = f"{sender} is not among the numbers of the service: it works only as a verified number"
    return Checked(check="sender", ok=None, text=text)


def of_callbacks(public_url: str, base_url: str) -> Checked:
    """Whether our receiver answers at the address that the provider is told."""
    if not public_url:
        text = "BULKFAX_PUBLIC_URL is empty: the provider does not call us, faxes are read back instead"
        return Checked(check="callback URL", ok=None, text=text)
    if is_local(public_url) and not is_local(base_url):
        text = f"{public_url} is an address of this network: the provider cannot reach it"
        return Checked(check="callback URL", ok=False, text=text)
    try:
        with Client(public_url, patience_s=_PATIENCE_S) as client:
            client.receiver()
    except NotReachable:
        text = f"nothing answers at {public_url}: does the API run, and is it reached under BULKFAX_PUBLIC_URL?"
        return Checked(check="callback URL", ok=False, text=text)
    except ClientError:
        text = f"something else than our API answers at {public_url}: mend BULKFAX_PUBLIC_URL, or what stands before it"
        return Checked(check="callback URL", ok=False, text=text)
    return Checked(check="callback URL", ok=True, text=f"{public_url} answers as ours, asked from here")


def is_local(url: str) -> bool:
    """Whether an address means this machine or network only. Names but ``localhost`` are taken for public."""
    host = urlsplit(url).hostname or ""
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return host == "localhost"
