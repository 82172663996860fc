"""Who may use the producer API: holders of a key, or, where no key is set, programs on this machine only."""

import hmac
from ipaddress import ip_address
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, HTTPException, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from dispatcher.runtime import Runtime
from dispatcher.settings import Settings, SettingsError

_bearer = HTTPBearer(auto_error=False, description="One of BULKFAX_API_KEYS.")


def runtime_of(request: Request) -> Runtime:
    """What the application was put together from."""
    runtime: Runtime = request.app.state.runtime
    return runtime


async def _parts(request: Request) -> Runtime:
    return runtime_of(request)  # a dependency that is no coroutine would be run in a thread


RuntimeDep = Annotated[Runtime, Depends(_parts)]


def ensure_guarded(settings: Settings) -> None:
    """Raises SettingsError when anyone in the network could send faxes at our cost."""
    if not settings.api_keys and not is_loopback(settings.host):
        raise SettingsError(
            f"BULKFAX_API_KEYS: set at least one key, or bind to this machine only: BULKFAX_HOST is {settings.host}"
        )


def is_loopback(host: str) -> bool:
    """True for ``localhost`` and addresses of this machine that no other can reach."""
    try:
        return host == "localhost" or ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


async def authorize(
    request: Request, parts: RuntimeDep, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> None:
    """Let a request pass, or answer 401 or 403."""
    keys = [key.get_secret_value() for key in parts.settings.api_keys]
    if not keys:
        _ensure_local(request)
        return
    offered = credentials.credentials.encode() if credentials else b""
    matches = [hmac.compare_digest(key.encode(), offered) for key in keys]
    if not any(matches):
        raise HTTPException(401, "Send Authorization: Bearer and one of the API keys.", {"WWW-Authenticate": "Bearer"})


def _ensure_local(request: Request) -> None:
    """Without keys, neither a tunnel to our port nor a web page in a browser on this machine may send faxes."""
    host = request.url.hostname or ""
    origin = request.headers.get("origin")
    if not is_loopback(host) or (origin and not is_loopback(urlsplit(origin).hostname or "")):
        raise HTTPException(403, "Without BULKFAX_API_KEYS the API serves this machine only, as localhost.")
