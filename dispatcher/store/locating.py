"""Finds the server for each new connection: the master that Sentinels name, or the node of a cluster.

A connection asks when it connects. So a pool whose connections are replaced after a failover follows the master,
whatever kind of address it has.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

import redis
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff
from redis.connection import parse_url
from redis.crc import key_slot
from redis.sentinel import Sentinel as BlockingSentinel

from dispatcher.store.address import Host, RedisAddress

C = TypeVar("C")

#: who asks where the master is asks the next one instead of the same again
_ONCE = Retry(NoBackoff(), 0)


class NotTheMasterError(redis.ConnectionError):
    """Raised if the server that was named says that it is not the master: whoever named it has not noticed yet."""


class Locator(Protocol):
    """Finds the server of an address."""

    #: whether the server must be asked for its role: only then is the answer trusted
    checks_role: bool

    async def locate(self) -> Host:
        """Return host and port. Raises a ConnectionError of redis-py if nobody answers."""
        ...


class SentinelLocator:
    """Asks the Sentinels for the master, first the one that answered last."""

    checks_role = True

    def __init__(self, address: RedisAddress, timeout_s: float) -> None:
        """``timeout_s`` limits all questions together."""
        self._hosts = list(address.hosts)
        self._master = address.master
        self._options = _sentinel_options(address, timeout_s) | {"retry": _ONCE}

    async def locate(self) -> Host:
        asked: Any = Sentinel(self._hosts, sentinel_kwargs=self._options)  # type: ignore[no-untyped-call]  # redis-py's
        try:
            host, port = await asked.discover_master(self._master)
            self._hosts = _in_order(asked.sentinels)
        except redis.ConnectionError as error:
            raise _no_master_named(self._hosts, self._master, error) from error
        finally:
            await asked.aclose()
        return str(host), int(port)


class BlockingSentinelLocator:
    """The same for threads."""

    def __init__(self, address: RedisAddress, timeout_s: float) -> None:
        self._hosts = list(address.hosts)
        self._master = address.master
        self._options = _sentinel_options(address, timeout_s) | {"retry": redis.retry.Retry(NoBackoff(), 0)}

    def locate(self) -> Host:
        asked: Any = BlockingSentinel(self._hosts, sentinel_kwargs=self._options)  # type: ignore[no-untyped-call]  # same
        try:
            host, port = asked.discover_master(self._master)
            self._hosts = _in_order(asked.sentinels)
        except redis.ConnectionError as error:
            raise _no_master_named(self._hosts, self._master, error) from error
        finally:
            asked.close()
        return str(host), int(port)


class ClusterLocator:
    """Asks the nodes of a cluster which of them has the slot of a key. It remembers all nodes that it was told of."""

    #: the others answer MOVED
    checks_role = False

    def __init__(self, address: RedisAddress, key: str, timeout_s: float) -> None:
        self._hosts = list(address.hosts)
        self._slot = key_slot(key.encode())
        self._url = address.url
        self._timeout_s = timeout_s / (len(self._hosts) + 1)

    async def locate(self) -> Host:
        reasons = []
        for host in tuple(self._hosts):
            try:
                slots = await self._slots(host)
            except (redis.ConnectionError, redis.TimeoutError, redis.ResponseError) as error:
                reasons.append(str(error))
                continue
            nodes = [(node[0].decode() or host[0], int(node[1])) for _, _, *owners in slots for node in owners]
            self._hosts = list(dict.fromkeys([host, *nodes, *self._hosts]))
            for first, last, (name, port, *_), *_ in slots:
                if first <= self._slot <= last:
                    return name.decode() or host[0], int(port)
            reasons.append(f"no node has slot {self._slot}")
        raise redis.ConnectionError(f"the cluster has no node for the account: {'; '.join(reasons)}")

    async def _slots(self, host: Host) -> Any:
        """Return ranges of slots: first, last, the master and its replicas, each as host, port and more."""
        client: Any = Redis.from_url(
            self._url,
            socket_timeout=self._timeout_s,
            socket_connect_timeout=self._timeout_s,
            retry=_ONCE,
        )
        client.connection_pool.connection_kwargs |= {"host": host[0], "port": host[1]}
        async with client:
            return await client.execute_command("CLUSTER SLOTS")


def _sentinel_options(address: RedisAddress, timeout_s: float) -> dict[str, Any]:
    """Return the options of connections to Sentinels, each of which may take its part of ``timeout_s``."""
    parsed: dict[str, Any] = parse_url(address.sentinel_url)  # type: ignore[no-untyped-call]  # redis-py's
    options = {name: value for name, value in parsed.items() if name not in ("host", "connection_class")}
    each_s = timeout_s / (len(address.hosts) + 1)
    return {
        **options,
        "ssl": address.sentinel_url.startswith("rediss:"),
        "socket_timeout": each_s,
        "socket_connect_timeout": each_s,
    }


def _no_master_named(hosts: Sequence[Host], master: str, error: redis.ConnectionError) -> redis.ConnectionError:
    """Return an error in a sentence. That of redis-py shows the options of all connections."""
    names = ", ".join(f"{host}:{port}" for host, port in hosts)
    refused = ", and one refuses our login" if "AuthenticationError" in str(error) else ""
    return redis.ConnectionError(f"no Sentinel of {names} names a master {master!r} that works{refused}")


def _in_order(sentinels: Sequence[Any]) -> list[Host]:
    """Return the hosts of Sentinels in the order in which redis-py would ask them next."""
    options = (sentinel.connection_pool.connection_kwargs for sentinel in sentinels)
    return [(each["host"], each["port"]) for each in options]


def located(base: type[C], locator: Locator) -> type[C]:
    """Return an asyncio connection class that asks for its server when it connects."""

    class Located(base):  # type: ignore[misc, valid-type]
        async def _connect(self) -> None:
            async with asyncio.timeout(self.socket_connect_timeout):
                self.host, self.port = await locator.locate()
            await super()._connect()

        async def on_connect_check_health(self, check_health: bool = True) -> None:
            await super().on_connect_check_health(check_health=check_health)
            if locator.checks_role:
                await self.send_command("ROLE", check_health=False)
                _ensure_master(await self.read_response())

    return Located


def located_thread(base: type[C], locator: BlockingSentinelLocator) -> type[C]:
    """Return the same class for threads."""

    class Located(base):  # type: ignore[misc, valid-type]
        def _connect(self) -> Any:
            self.host, self.port = locator.locate()
            return super()._connect()

        def on_connect_check_health(self, check_health: bool = True) -> None:
            super().on_connect_check_health(check_health=check_health)
            self.send_command("ROLE", check_health=False)
            _ensure_master(self.read_response())

    return Located


def _ensure_master(role: Sequence[Any]) -> None:
    if role[0] not in (b"master", "master"):
        raise NotTheMasterError("the server that Sentinel names is not the master: a failover is under way")
