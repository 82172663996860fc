"""The checks of ``provider check`` and their results."""

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

from dispatcher.cli.output import CommandFailed
from dispatcher.cli.provider.provider_call import collect, error_message, service_or_default
from dispatcher.client import Client, ClientError, NotReachable
from dispatcher.sinch.client import FaxClient
from dispatcher.sinch.errors import SinchError
from dispatcher.sinch.models import Service

#: time limit for the check of the callback URL
_CALLBACK_URL_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckTarget:
    """What to check.

    An empty service or sender stands for the default of the project or the service.
    """

    base_url: str
    service: str = ""
    sender: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """The result of one check.

    ``ok`` is None if the check cannot decide.
    """

    check: str
    ok: bool | None
    text: str


async def check_account(client: FaxClient, target: CheckTarget) -> list[CheckResult]:
    """Check credentials, service and sender, in this order, until one of them is wrong."""
    try:
        await client.check()
    except SinchError as error:
        return [CheckResult(check="credentials", ok=False, text=error_message(error, target.base_url))]
    results = [CheckResult(check="credentials", ok=True, text=f"accepted by {target.base_url}")]
    try:
        service = await client.services.get(await service_or_default(client, target.service))
        numbers = [number.phone_number for number in await collect(client.services.walk_numbers(service.id))]
    except CommandFailed as error:
        return [*results, CheckResult(check="service", ok=False, text=str(error))]
    except SinchError as error:
        return [*results, CheckResult(check="service", ok=False, text=error_message(error, target.base_url))]
    return [*results, _service_result(service), check_sender(target.sender or service.default_from, numbers)]


def _service_result(service: Service) -> CheckResult:
    default = ", the project's default" if service.default_for_project else ""
    return CheckResult(check="service", ok=True, text=f"{service.name or 'no name'} ({service.id}){default}")


def check_sender(sender: str, numbers: list[str]) -> CheckResult:
    """Check that the sender is a number of the service; verified numbers are not listed there."""
    if not sender:
        text = "none is set: the provider uses one of its own, or refuses the fax; name one with --sender"
        return CheckResult(check="sender", ok=None, text=text)
    if sender in numbers:
        return CheckResult(check="sender", ok=True, text=f"{sender} belongs to the service")
    text = f"{sender} is not a number of the service: it works only as a verified number"
    return CheckResult(check="sender", ok=None, text=text)


def check_callback_url(public_url: str, base_url: str) -> CheckResult:
    """Check that the bulkfax API answers at the public URL."""
    if not public_url:
        text = "BULKFAX_PUBLIC_URL is empty: the provider sends no callbacks; results are read back instead"
        return CheckResult(check="callback URL", ok=None, text=text)
    if is_local(public_url) and not is_local(base_url):
        text = f"{public_url} is an address of this network: the provider cannot reach it"
        return CheckResult(check="callback URL", ok=False, text=text)
    try:
        with Client(public_url, patience_s=_CALLBACK_URL_TIMEOUT_S) as client:
            client.receiver()
    except NotReachable:
        text = f"nothing answers at {public_url}: does the API run, and is BULKFAX_PUBLIC_URL right?"
        return CheckResult(check="callback URL", ok=False, text=text)
    except ClientError:
        text = f"something else than bulkfax answers at {public_url}: correct BULKFAX_PUBLIC_URL or the proxy"
        return CheckResult(check="callback URL", ok=False, text=text)
    return CheckResult(
        check="callback URL", ok=True, text=f"the bulkfax API answers at {public_url}, called from this machine"
    )


def is_local(url: str) -> bool:
    """Return whether a URL is reachable from this machine or network only.

    Names other than ``localhost`` count as public.
    """
    host = urlsplit(url).hostname or ""
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return host == "localhost"
