"""One question to the provider: the account from the settings, and every error as a sentence that says what to do."""

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

ServiceOption = Annotated[str, typer.Option("--service", help="Id of the service; the project's default if not given.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]

_REFUSED = {
    401: "the provider does not accept the key id and secret: "
    "set BULKFAX_SINCH__KEY_ID and BULKFAX_SINCH__KEY_SECRET to an access key of the project",
    402: "the account has no money left: top it up in the provider's dashboard",
    403: "the key has no access to this project or to the Fax API: set BULKFAX_SINCH__PROJECT_ID and the key to match",
}


def ask(work: Callable[[FaxClient], Awaitable[T]], doing: str = "asking the provider") -> T:
    """What ``work`` returns. Raises CommandFailed for all that goes wrong, SettingsError when no account is set up."""
    settings = load_settings()
    _ensure_account(settings)
    with notes.status(doing):
        try:
            return asyncio.run(_with_client(settings, work))
        except SinchError as error:
            raise CommandFailed(sentence(error, settings.sinch.base_url)) from error


async def _with_client(settings: Settings, work: Callable[[FaxClient], Awaitable[T]]) -> T:
    from dispatcher.runtime import make_sinch  # late: it costs other commands half a second

    client = make_sinch(settings)
    try:
        return await work(client)
    finally:
        await client.aclose()


def _ensure_account(settings: Settings) -> None:
    given = {
        "PROJECT_ID": settings.sinch.project_id,
        "KEY_ID": settings.sinch.key_id,
        "KEY_SECRET": settings.sinch.key_secret.get_secret_value(),
    }
    missing = [f"BULKFAX_SINCH__{name}" for name, value in given.items() if not value]
    if missing:
        raise SettingsError(f"no account at the provider is set up: set {', '.join(missing)}")


def sentence(error: SinchError, base_url: str) -> str:
    """What an error means for the person at the terminal."""
    match error:
        case RefusedError(status=status) if status in _REFUSED:
            return _REFUSED[status]
        case NotFoundError():
            return f"the provider does not know that ({error.message or 404}), or BULKFAX_SINCH__PROJECT_ID is wrong"
        case RefusedError():
            return f"the provider refuses that ({error.status}): {error.message or 'it does not say why'}"
        case RateLimitedError():
            return "the provider wants fewer requests for now (429): try again in a moment"
        case NotSentError():
            settings = "are BULKFAX_SINCH__BASE_URL and BULKFAX_SINCH__AUTH_URL right?"
            return f"the provider cannot be asked at {base_url} ({error}): {settings}"
        case UnclearError():
            return f"the provider gave no usable answer ({error}): look whether it was done before you try again"
        case SaveError():
            return str(error)
    return f"the answer at {base_url} makes no sense ({error}): is BULKFAX_SINCH__BASE_URL right?"


async def service_or_default(client: FaxClient, given: str) -> str:
    """Id of the service that was named, or of the project's default one. Raises CommandFailed, SinchError."""
    if given:
        return given
    async for service in client.services.walk():
        if service.default_for_project:
            return service.id
    raise CommandFailed(
        "the project has no default service: name one with --service, see `bulkfax provider services list`"
    )


async def gathered(items: AsyncIterator[T]) -> list[T]:
    return [item async for item in items]


def confirm(question: str, *, yes: bool) -> None:
    """Go on only when it was agreed to. Ends the command with status 1 otherwise."""
    if not yes:
        typer.confirm(question, abort=True, err=True)


def ensure_new(path: Path, *, force: bool) -> None:
    """Raises CommandFailed when a file would be written over that nobody said may be."""
    if path.exists() and not force:
        raise CommandFailed(f"{path} is there already: name another file, or write over it with --force")
