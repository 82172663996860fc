"""Access to the web process: with an API key, or, if no key is set, only from this machine.

Requests are checked before routing, so that one without a key learns nothing and no byte of its body is read.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from hashlib import sha256
from ipaddress import IPv6Address, ip_address

import structlog
from fastapi import HTTPException
from fastapi.security import HTTPBearer
from pydantic import SecretStr
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from dispatcher.api.problems import problem_of, problem_response
from dispatcher.core.signatures import is_any_of
from dispatcher.settings import Settings, SettingsError

log = structlog.get_logger(__name__)

#: hexadecimal digits of a key's hash that are its name in logs
_NAME_DIGITS = 6
#: for the OpenAPI document; ``Guard`` checks the key
BEARER = HTTPBearer(auto_error=False, description="One of BULKFAX_API_KEYS.")
#: paths that need an API key; paths for probes, which may use any name; paths with signatures, which need neither key
#: nor name, because the provider calls them through a public address
_KEYED = re.compile(r"/v1(/.*)?", re.DOTALL)
_ANY_HOST = re.compile(r"/healthz|/readyz|/(callbacks|documents)/.*", re.DOTALL)
#: RFC 9110, section 7.2, without percent-encoded names and without the rare signs that RFC 3986 allows in names. A port
#: may be empty
_HOST = re.compile(r"(?P<name>[A-Za-z0-9._~-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(:[0-9]{0,5})?")
#: characters of a host that is looked at: a longer one is none, and is not remembered
_MAX_HOST = 300
_ORIGIN = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://(?P<host>.*)")


def ensure_guarded(settings: Settings) -> None:
    """Raise SettingsError if anyone in the network could send faxes."""
    if not settings.api_keys and not is_loopback(settings.host):
        raise SettingsError(
            f"set BULKFAX_API_KEYS to at least one key, or BULKFAX_HOST (now {settings.host}) to 127.0.0.1"
        )


def is_loopback(host: str) -> bool:
    """Return whether a host is ``localhost`` or an address that only this machine can reach."""
    name = host.lower().removesuffix(".")  # a dot ends a name that is complete
    try:
        address = ip_address(name.strip("[]"))
    except ValueError:
        return name == "localhost"
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback


class Guard:
    """Middleware that refuses requests without the right to be here, with 400, 401 or 403."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            refusal = _refusal(scope, scope["app"].state.runtime.settings)
            if refusal is not None:
                _log_refusal(scope, refusal.status_code)
                await problem_response(problem_of(refusal), refusal.headers)(scope, receive, send)
                return
        await self._app(scope, receive, send)


def _refusal(scope: Scope, settings: Settings) -> HTTPException | None:
    headers = Headers(scope=scope)
    host, origin = _host(scope), headers.get("origin")
    if host is None:
        return HTTPException(400, "Send one Host header: a name or an address, and a port if needed.")
    origin_host = "" if origin is None else _host_of_origin(origin)
    if origin_host is None:
        return HTTPException(403, "The Origin header cannot be understood.")
    if settings.api_keys:
        return _refusal_of_key(headers, settings) if _KEYED.fullmatch(scope["path"]) else None
    if _ANY_HOST.fullmatch(scope["path"]) or (is_loopback(host) and (origin is None or is_loopback(origin_host))):
        return None
    return HTTPException(
        403, "No BULKFAX_API_KEYS are set: call the API on its own machine as http://localhost, or set a key."
    )


def has_key(headers: Headers, keys: Iterable[SecretStr]) -> bool:
    """Return whether a request carries one of these keys."""
    return _is_key(_offered(headers), keys)


def _is_key(offered: str, keys: Iterable[SecretStr]) -> bool:
    return is_any_of(offered, [key.get_secret_value() for key in keys])


def _offered(headers: Headers) -> str:
    scheme, _, key = headers.get("authorization", "").partition(" ")
    return key.strip(" ") if scheme.lower() == "bearer" else ""


@lru_cache(maxsize=64)
def key_name(key: str) -> str:
    """Return what a key is called in logs: too little of its hash to be of use to who looks for the key."""
    return sha256(key.encode()).hexdigest()[:_NAME_DIGITS]


def _log_refusal(scope: Scope, status: int) -> None:
    """Log that somebody has no key that is valid, without anything that was offered as one."""
    if status == 401:
        client = scope.get("client") or ("",)
        log.warning("an API key is missing or wrong", method=scope["method"], client=client[0])


def _refusal_of_key(headers: Headers, settings: Settings) -> HTTPException | None:
    offered = _offered(headers)
    if _is_key(offered, settings.api_keys):
        structlog.contextvars.bind_contextvars(key=key_name(offered))
        return None
    return HTTPException(
        401,
        "Send the header 'Authorization: Bearer KEY', where KEY is one of BULKFAX_API_KEYS.",
        {"WWW-Authenticate": "Bearer"},
    )


def _host(scope: Scope) -> str | None:
    """Return the name or address that the client called, in lower case; None if it cannot be understood.

    Probes that speak HTTP/1.0 may send none; it is empty then.
    """
    hosts = [value for name, value in scope["headers"] if name == b"host"]
    if not hosts and scope["http_version"] == "1.0":
        return ""
    return _name(hosts[0].decode("latin-1")) if len(hosts) == 1 and len(hosts[0]) <= _MAX_HOST else None


def _host_of_origin(origin: str) -> str | None:
    """Return the host of a web page's origin, empty for a page without one; None if it cannot be understood."""
    match = _ORIGIN.fullmatch(origin)
    if origin == "null":
        return ""
    return _name(match["host"]) if match and len(match["host"]) <= _MAX_HOST else None


@lru_cache(maxsize=64)
def _name(text: str) -> str | None:
    match = _HOST.fullmatch(text)
    if match is None:
        return None
    name = match["name"].lower()
    try:
        if name.startswith("["):
            IPv6Address(name.strip("[]"))
    except ValueError:
        return None
    return name
