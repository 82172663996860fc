"""Addresses of Redis: of one server, of the master that Sentinels name, or of a cluster.

===============================================  ==========================================================
``redis://user:pw@host:6379/0``                  one server; with TLS ``rediss://``, or a socket ``unix://``
``redis+sentinel://user:pw@h1:26379,h2/name/0``  the master ``name`` that these Sentinels know
``redis+cluster://user:pw@h1:6379,h2``           a cluster, of which these are some of the nodes
===============================================  ==========================================================

``rediss+sentinel://`` and ``rediss+cluster://`` are the same with TLS. User and password are those of the servers.
Options follow ``?``: those of redis-py, such as ``ssl_ca_certs``, and for Sentinels ``sentinel_username``,
``sentinel_password`` and ``sentinel_tls`` (by default as the servers).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import parse_qsl, urlencode, urlsplit


class RedisKind(StrEnum):
    """What an address leads to."""

    SERVER = "server"
    SENTINEL = "sentinel"
    CLUSTER = "cluster"


#: port of a host that names none
_PORTS = {RedisKind.SENTINEL: 26379, RedisKind.CLUSTER: 6379}
_YES_NO = {"yes": True, "no": False}
#: options of the address that are meant for the connections to Sentinels
_SENTINEL_OPTIONS = ("sentinel_username", "sentinel_password", "sentinel_tls")

Host = tuple[str, int]


class AddressError(ValueError):
    """Raised if an address cannot be used. The text is for people and contains no part of the address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisAddress:
    """A parsed address. Both URLs contain passwords."""

    kind: RedisKind
    #: the address of one server for redis-py, with login, database and TLS; host and port are placeholders unless
    #: the kind is SERVER
    url: str = field(repr=False)
    hosts: tuple[Host, ...] = ()
    #: the name of the master at the Sentinels
    master: str = ""
    #: the same as ``url`` for a connection to a Sentinel
    sentinel_url: str = field(default="", repr=False)


def parse(url: str) -> RedisAddress:
    """Parse an address. Raises AddressError, or another ValueError whose text may contain a part of a password."""
    scheme = urlsplit(url).scheme
    plain, plus, kind = scheme.partition("+")
    if not plus:
        return RedisAddress(kind=RedisKind.SERVER, url=url)
    if plain not in ("redis", "rediss") or kind not in (RedisKind.SENTINEL, RedisKind.CLUSTER):
        raise AddressError("the address must begin with redis://, redis+sentinel:// or redis+cluster://")
    return (_sentinel if kind == RedisKind.SENTINEL else _cluster)(plain, url)


def _sentinel(plain: str, url: str) -> RedisAddress:
    parts = urlsplit(url)
    master, _, database = parts.path.removeprefix("/").rstrip("/").partition("/")
    if not master:
        raise AddressError("the name of the master is missing: redis+sentinel://HOST:26379/NAME/0")
    if not (database or "0").isdecimal():
        raise AddressError("the database is no number: redis+sentinel://HOST:26379/NAME/0")
    options = dict(parse_qsl(parts.query))
    own = {name: options.pop(name) for name in _SENTINEL_OPTIONS if name in options}
    if own.get("sentinel_tls", "yes") not in _YES_NO:
        raise AddressError("sentinel_tls must be yes or no")
    tls = _YES_NO[own["sentinel_tls"]] if "sentinel_tls" in own else plain == "rediss"
    login = {name: own[f"sentinel_{name}"] for name in ("username", "password") if f"sentinel_{name}" in own}
    shared = {name: value for name, value in options.items() if tls and name.startswith("ssl_")}
    return RedisAddress(
        kind=RedisKind.SENTINEL,
        url=_with_options(f"{plain}://{_login(parts.netloc)}localhost/{database or 0}", options),
        hosts=_hosts(parts.netloc, RedisKind.SENTINEL),
        master=master,
        sentinel_url=_with_options(f"{'rediss' if tls else 'redis'}://localhost", {**shared, **login}),
    )


def _cluster(plain: str, url: str) -> RedisAddress:
    parts = urlsplit(url)
    if parts.path.strip("/") not in ("", "0"):
        raise AddressError("a cluster has no databases but 0")
    return RedisAddress(
        kind=RedisKind.CLUSTER,
        url=_with_options(f"{plain}://{_login(parts.netloc)}localhost/0", dict(parse_qsl(parts.query))),
        hosts=_hosts(parts.netloc, RedisKind.CLUSTER),
    )


def _login(netloc: str) -> str:
    login, separator, _ = netloc.rpartition("@")
    return login + separator


def _hosts(netloc: str, kind: RedisKind) -> tuple[Host, ...]:
    parts = (urlsplit(f"//{part}") for part in netloc.rpartition("@")[2].split(","))
    hosts = tuple((part.hostname or "", _PORTS[kind] if part.port is None else part.port) for part in parts)
    if not all(host for host, _ in hosts):
        raise AddressError("a host is missing")
    return hosts


def _with_options(url: str, options: Mapping[str, str]) -> str:
    return f"{url}?{urlencode(options)}" if options else url
