"""Calls the provider with the account from the settings, and turns errors into messages that say what to do."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from dispatcher.cli.output import CommandFailed, notes
from dispatcher.settings import Settings, SettingsError, load_settings
from dispatcher.sinch.client import FaxClient
from dispatcher.sinch.errors import (
    NotFoundError,
    NotSentError,
    RateLimitedError,
    RefusedError,
    SaveError,
    SinchError,
    UnclearError,
)

T = TypeVar("T")

ServiceOption = Annotated[
    str, typer.Option("--service", help="ID of the service. Default: the default service of the project.")
]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]

_REFUSED = {
    401: "the provider does not accept the key id and secret: "
    "set BULKFAX_SINCH__KEY_ID and BULKFAX_SINCH__KEY_SECRET to an access key of the project",
    402: "the account has no money left: top it up in the provider's dashboard",
    403: "the key has no access to this project or to the Fax API: set BULKFAX_SINCH__PROJECT_ID and the key to match",
}


def call_provider(work: Callable[[FaxClient], Awaitable[T]], progress: str = "calling the provider") -> T:
    """Call ``work`` with a client and return its result.

    Args:
        work: The calls to make.
        progress: What the terminal shows meanwhile.

    Raises:
        CommandFailed: a call failed.
        SettingsError: no account is configured.
    """
    settings = load_settings()
    _ensure_account(settings)
    with notes.status(progress):
        try:
            return asyncio.run(_with_client(settings, work))
        except SinchError as error:
            raise CommandFailed(error_message(error, settings.sinch.base_url)) from error


async def _with_client(settings: Settings, work: Callable[[FaxClient], Awaitable[T]]) -> T:
    from dispatcher.runtime import make_sinch  # imported late: it would delay other commands by half a second

    client = make_sinch(settings)
    try:
        return await work(client)
    finally:
        await client.aclose()


def _ensure_account(settings: Settings) -> None:
    account = {
        "PROJECT_ID": settings.sinch.project_id,
        "KEY_ID": settings.sinch.key_id,
        "KEY_SECRET": settings.sinch.key_secret.get_secret_value(),
    }
    missing = [f"BULKFAX_SINCH__{name}" for name, value in account.items() if not value]
    if missing:
        raise SettingsError(f"no account at the provider is configured: set {', '.join(missing)}")


def error_message(error: SinchError, base_url: str) -> str:
    """Return the message for an error of the provider client."""
    match error:
        case RefusedError(status=status) if status in _REFUSED:
            return _REFUSED[status]
        case NotFoundError():
            return f"the provider does not know that ({error.message or 404}), or BULKFAX_SINCH__PROJECT_ID is wrong"
        case RefusedError():
            return f"the provider refuses that ({error.status}): {error.message or 'it does not say why'}"
        case RateLimitedError():
            return "the provider's rate limit was reached (429): try again in a moment"
        case NotSentError():
            settings = "are BULKFAX_SINCH__BASE_URL and BULKFAX_SINCH__AUTH_URL right?"
            return f"the provider cannot be asked at {base_url} ({error}): {settings}"
        case UnclearError():
            return f"the provider gave no usable answer ({error}): check whether it was done before you try again"
        case SaveError():
            return str(error)
    return f"the answer at {base_url} makes no sense ({error}): is BULKFAX_SINCH__BASE_URL right?"


async def service_or_default(client: FaxClient, service_id: str) -> str:
    """Return the service ID, or the ID of the default service of the project if it is empty.

    Raises:
        CommandFailed: the project has no default service.
        SinchError: the services could not be read.
    """
    if service_id:
        return service_id
    async for service in client.services.iter_all():
        if service.default_for_project:
            return service.id
    raise CommandFailed(
        "the project has no default service: name one with --service, see `bulkfax provider services list`"
    )


async def collect(items: AsyncIterator[T]) -> list[T]:
    """Return all items as a list."""
    return [item async for item in items]


def ensure_writable(path: Path, *, force: bool) -> None:
    """Check that the file does not exist, or that it may be overwritten.

    Raises:
        CommandFailed: it exists, and ``force`` is False.
    """
    if path.exists() and not force:
        raise CommandFailed(f"{path} exists already: name another file, or overwrite it with --force")
