"""Access to the producer API: with an API key, or, if no key is set, only from this machine."""

from ipaddress import ip_address
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, HTTPException, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from dispatcher.api.dependencies import RuntimeDep
from dispatcher.core.signatures import is_any_of
from dispatcher.settings import Settings, SettingsError

_bearer = HTTPBearer(auto_error=False, description="One of BULKFAX_API_KEYS.")


def ensure_guarded(settings: Settings) -> None:
    """Raise SettingsError if anyone in the network could send faxes."""
    if not settings.api_keys and not is_loopback(settings.host):
        raise SettingsError(
            f"set BULKFAX_API_KEYS to at least one key, or BULKFAX_HOST (now {settings.host}) to 127.0.0.1"
        )


def is_loopback(host: str) -> bool:
    """Return whether a host is ``localhost`` or an address that only this machine can reach."""
    try:
        return host == "localhost" or ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


async def authorize(
    request: Request, runtime: RuntimeDep, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> None:
    """Let a request pass, or raise HTTPException with 401 or 403."""
    keys = [key.get_secret_value() for key in runtime.settings.api_keys]
    if not keys:
        _ensure_local_host_and_origin(request)
        return
    if not is_any_of(credentials.credentials if credentials else "", keys):
        raise HTTPException(
            401,
            "Send the header 'Authorization: Bearer KEY', where KEY is one of BULKFAX_API_KEYS.",
            {"WWW-Authenticate": "Bearer"},
        )


def _ensure_local_host_and_origin(request: Request) -> None:
    """Refuse requests whose Host or Origin is not this machine: through a reverse proxy, or from a foreign web page."""
    host = request.url.hostname or ""
    origin = request.headers.get("origin")
    if not is_loopback(host) or (origin and not is_loopback(urlsplit(origin).hostname or "")):
        raise HTTPException(
            403, "No BULKFAX_API_KEYS are set: call the API on its own machine as http://localhost, or set a key."
        )
