"""Connections to Redis. They are replaced as soon as the server turns out not to be the master.

After a failover by DNS name, old connections still lead to the demoted server. It answers READONLY (or LOADING, or
MASTERDOWN) to writes and serves stale reads. Such an answer therefore closes all connections of the pool and counts as
a broken connection: the command is repeated on a new connection, within the usual number of tries. The same holds for
the master that Sentinels name and for the node of a cluster (``locating.py``).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

import redis
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import FullJitterBackoff, NoBackoff

from dispatcher.store.address import AddressError, RedisAddress, RedisKind, parse
from dispatcher.store.locating import (
    BlockingSentinelLocator,
    ClusterLocator,
    Locator,
    SentinelLocator,
    located,
    located_thread,
)

#: redis-py types every answer as bytes or text; these clients always return bytes
Client = Any

#: seconds between the tries of one command: the first pause and the longest one
_RETRY_BASE_S, _RETRY_CAP_S = 0.05, 0.5

#: maximum number of connections of a process; a command waits while all are in use
_CONNECTIONS = 32

#: errors of a server that is not the master
_NO_MASTER = (
    redis.exceptions.ReadOnlyError,
    redis.exceptions.MasterDownError,
    redis.exceptions.BusyLoadingError,
)
#: the same as codes in the error text of a script (Redis 6.2); UNBLOCKED: it was demoted during a blocking command
_NO_MASTER_CODES = ("READONLY", "MASTERDOWN", "UNBLOCKED")


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a command waits for Redis: seconds of one try, and tries after the first."""

    timeout_s: float
    retries: int
    #: whether to repeat a command that got no answer in time, and not only one whose connection broke
    repeat_unanswered: bool = True


#: For workers and the scheduler. Every script can be repeated after a lost reply. Three tries of at most 2 s, the
#: pauses between them and a POST's total time are together shorter than a lease.
PATIENT = Patience(timeout_s=2.0, retries=2)
#: For processes that answer people: a read that hangs becomes an error within a second, a write within three.
READS = Patience(timeout_s=0.8, retries=2, repeat_unanswered=False)
WRITES = Patience(timeout_s=0.8, retries=2)


#: seconds that accepted writes and the begin of a send wait for replicas, and seconds that an answer may take longer
ACCEPT_WAIT_S, BEGIN_WAIT_S, _BEYOND_S = 1.0, 0.1, 0.5


def for_replicas(patience: Patience) -> Patience:
    """Return a patience long enough for writes that wait for replicas; if it is longer, commands are not repeated."""
    min_s = ACCEPT_WAIT_S + _BEYOND_S
    if patience.timeout_s >= min_s:
        return patience
    return replace(patience, timeout_s=min_s, repeat_unanswered=False)


class NoMasterError(redis.ConnectionError):
    """Raised if the server is not the master. To redis-py this is a broken connection, so it reconnects."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        #: it answers, and takes no writes
        self.read_only = isinstance(error, redis.exceptions.ReadOnlyError) or "READONLY" in str(error)


class ClusterAddressError(ValueError):
    """Raised if an address is that of a cluster where only a server can be used."""


def connect(url: str, patience: Patience = PATIENT, *, account_key: str = "") -> Client:
    """Return a client that connects at its first call.

    Args:
        url: An address as in ``address.py``.
        patience: How long a command waits.
        account_key: Any key of the account, which says which node of a cluster has all of them.

    Raises:
        ValueError: The address is invalid.
    """
    address = parse(url)
    repeated: tuple[type[redis.RedisError], ...] = (redis.ConnectionError,)
    if patience.repeat_unanswered:
        repeated = (*repeated, redis.TimeoutError)
    backoff = FullJitterBackoff(cap=min(_RETRY_CAP_S, patience.timeout_s / 4), base=_RETRY_BASE_S)
    pool = _Pool.from_url(
        address.url,
        max_connections=_CONNECTIONS,
        timeout=patience.timeout_s,
        socket_timeout=patience.timeout_s,
        socket_connect_timeout=patience.timeout_s,
        retry=Retry(backoff, patience.retries, supported_errors=repeated),
        health_check_interval=30,
    )
    _ensure_options(pool)
    if locator := _locator(address, account_key, patience.timeout_s):
        pool.connection_class = located(pool.connection_class, locator)
    pool.connection_class = _leaving(pool.connection_class, in_cluster=address.kind is RedisKind.CLUSTER)
    return Redis.from_pool(pool)


def _locator(address: RedisAddress, account_key: str, timeout_s: float) -> Locator | None:
    match address.kind:
        case RedisKind.SENTINEL:
            return SentinelLocator(address, timeout_s)
        case RedisKind.CLUSTER:
            return ClusterLocator(address, account_key, timeout_s)
    return None


def connect_blocking(url: str, *, timeout_s: float) -> "redis.Redis":
    """Return a client for threads, which also leaves a server that is not the master. It repeats no command.

    Raises:
        ClusterAddressError: The address is that of a cluster.
        ValueError: The address is invalid.
    """
    address = parse(url)
    if address.kind is RedisKind.CLUSTER:
        raise ClusterAddressError("the address is that of a cluster")
    pool = redis.ConnectionPool.from_url(
        address.url,
        max_connections=_CONNECTIONS,
        socket_timeout=timeout_s,
        retry=redis.retry.Retry(NoBackoff(), 0),
    )
    _ensure_options(pool)
    if address.kind is RedisKind.SENTINEL:
        pool.connection_class = located_thread(pool.connection_class, BlockingSentinelLocator(address, timeout_s))
    pool.connection_class = _leaving_thread(pool.connection_class, pool)
    return redis.Redis.from_pool(pool)


def _ensure_options(pool: Any) -> None:
    """Raise AddressError if the address has options that no connection knows: they would fail at the first call."""
    try:
        pool.connection_class(**pool.connection_kwargs)
    except TypeError:
        raise AddressError("the address has an option that does not exist") from None


def leave(client: Client) -> None:
    """Make a client of ``connect`` replace all its connections: its name may lead to another server by now."""
    client.connection_pool.leave()


def connections(client: Client) -> tuple[int, int]:
    """Return the numbers of connections of a client of ``connect`` that are in use, and that are idle."""
    pool = client.connection_pool
    return len(pool._in_use_connections), len(pool._available_connections)


def leave_together(*clients: Client) -> None:
    """Make clients of one server replace their connections together, as soon as one of them meets a demoted server."""
    pools = list(dict.fromkeys(client.connection_pool for client in clients))
    for pool in pools:
        pool.together = pools


class _Marked(Protocol):
    """A connection that its pool can mark, so that it reconnects before its next use."""

    def mark_for_reconnect(self) -> None: ...


def _mark(connections: Iterable[_Marked]) -> None:
    for connection in connections:
        connection.mark_for_reconnect()


class _Pool(BlockingConnectionPool):
    """A pool that waits for a free connection, and replaces all of them if the server is not the master."""

    def make_connection(self) -> Any:
        connection = super().make_connection()  # type: ignore[no-untyped-call]  # redis-py leaves it so
        connection.leave = self.leave
        return connection

    #: all that leave with it
    together: Sequence["_Pool"] = ()

    def leave(self) -> None:
        """Replace every connection: idle ones before their next use, the others when they are released."""
        for pool in self.together or (self,):
            _mark((*pool._available_connections, *pool._in_use_connections))

    async def ensure_connection(self, connection: AbstractConnection) -> None:
        if connection.should_reconnect():  # type: ignore[no-untyped-call]  # as above
            await connection.disconnect()
        await super().ensure_connection(connection)


C = TypeVar("C")


def _leaving(base: type[C], *, in_cluster: bool = False) -> type[C]:
    """Return an asyncio connection class that notifies its pool if the server is not the master."""
    elsewhere = (redis.exceptions.MovedError,) if in_cluster else ()

    class Leaving(base):  # type: ignore[misc, valid-type]
        leave: Callable[[], None]

        async def read_response(self, *args: Any, **options: Any) -> Any:
            try:
                return await super().read_response(*args, **options)
            except (redis.ResponseError, redis.exceptions.BusyLoadingError) as error:
                if not (_means_no_master(error) or isinstance(error, elsewhere)):
                    raise
                self.leave()
                raise NoMasterError(error) from error

    return Leaving


def _leaving_thread(base: type[C], pool: "redis.ConnectionPool") -> type[C]:
    """Return the same class for threads, whose pool cannot check a mark before an idle connection is used."""

    class Leaving(base):  # type: ignore[misc, valid-type]
        def read_response(self, *args: Any, **options: Any) -> Any:
            try:
                return super().read_response(*args, **options)
            except (redis.ResponseError, redis.exceptions.BusyLoadingError) as error:
                if not _means_no_master(error):
                    raise
                _mark(tuple(pool._in_use_connections))
                pool.disconnect(inuse_connections=False)
                raise NoMasterError(error) from error

    return Leaving


def _means_no_master(error: Exception) -> bool:
    return isinstance(error, _NO_MASTER) or any(code in str(error) for code in _NO_MASTER_CODES)
