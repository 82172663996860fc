"""Access to the producer API: with an API key, or, if no key is set, only from this machine."""

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
    """Return the runtime of the application."""
    runtime: Runtime = request.app.state.runtime
    return runtime


async def _runtime(request: Request) -> Runtime:
    return runtime_of(request)  # a coroutine, because FastAPI would run a plain function in a thread


RuntimeDep = Annotated[Runtime, Depends(_runtime)]


def ensure_guarded(settings: Settings) -> None:
    """Raise SettingsError if anyone in the network could send faxes."""
    if not settings.api_keys and not is_loopback(settings.host):
        raise SettingsError(
            f"BULKFAX_API_KEYS: set at least one key, or bind to this machine only: BULKFAX_HOST is {settings.host}"
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
        _ensure_local(request)
        return
    offered = credentials.credentials.encode() if credentials else b""
    matches = [hmac.compare_digest(key.encode(), offered) for key in keys]
    if not any(matches):
        raise HTTPException(401, "Send Authorization: Bearer and one of the API keys.", {"WWW-Authenticate": "Bearer"})


def _ensure_local(request: Request) -> None:
    """Refuse requests that come through a tunnel or from a web page in a browser on this machine."""
    host = request.url.hostname or ""
    origin = request.headers.get("origin")
    if not is_loopback(host) or (origin and not is_loopback(urlsplit(origin).hostname or "")):
        raise HTTPException(403, "Without BULKFAX_API_KEYS the API serves this machine only, as localhost.")
