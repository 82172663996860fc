"""The connections to Redis. A server that is no master is left at once: the name may lead to another one by now.

After a failover by name the old connections live on and lead to the demoted server, which answers READONLY for ever
(or LOADING, or MASTERDOWN) and serves stale reads without complaint. So one such answer ends all connections of a pool,
and counts as a broken connection: whoever asked is repeated, on a new one, within the usual number of tries.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

import redis
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import FullJitterBackoff

#: redis-py types every answer as bytes or text, whatever the client is set to; ours are bytes, and the codec reads them
Client = Any

#: waits between the tries of one command
_RETRY_BASE_S, _RETRY_CAP_S = 0.05, 0.5

#: of one process; who comes when all are taken waits
_CONNECTIONS = 32

#: what a server answers that is no master
_NO_MASTER = (
    redis.exceptions.ReadOnlyError,
    redis.exceptions.MasterDownError,
    redis.exceptions.BusyLoadingError,
)
#: the same in the text of a script's error, where Redis 6.2 puts it; UNBLOCKED: it was demoted while somebody waited
_NO_MASTER_CODES = ("READONLY", "MASTERDOWN", "UNBLOCKED")


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a command waits for Redis: seconds of one try, and tries after the first."""

    timeout_s: float
    retries: int
    #: repeat a command that got no answer in time, too, and not only one whose connection broke
    repeat_unanswered: bool = True


#: Of workers and the scheduler. Every script may be repeated after a lost reply. All of it (three tries of at most 2 s
#: and the pauses between) plus a POST's total time is less than a lease.
PATIENT = Patience(timeout_s=2.0, retries=2)
#: Of whoever answers people: a read that hangs is an error within a second, a write within three.
READS = Patience(timeout_s=0.8, retries=2, repeat_unanswered=False)
WRITES = Patience(timeout_s=0.8, retries=2)


#: seconds that an accepted write and the begin of a send wait for replicas, and that an answer may take beyond that
ACCEPT_WAIT_S, BEGIN_WAIT_S, _BEYOND_S = 1.0, 0.1, 0.5


def for_replicas(patience: Patience) -> Patience:
    """The same, long enough for a write that waits for replicas. What would last too long together is not repeated."""
    least_s = ACCEPT_WAIT_S + _BEYOND_S
    if patience.timeout_s >= least_s:
        return patience
    return replace(patience, timeout_s=least_s, repeat_unanswered=False)


class NoMasterError(redis.ConnectionError):
    """The server at the other end is no master (any more). For redis-py a broken connection, so it connects anew."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        #: it answers, and takes no writes
        self.read_only = isinstance(error, redis.exceptions.ReadOnlyError) or "READONLY" in str(error)


def connect(url: str, patience: Patience = PATIENT) -> Client:
    """A client that connects at its first call. Raises ValueError when the URL cannot be read."""
    repeated: tuple[type[redis.RedisError], ...] = (redis.ConnectionError,)
    if patience.repeat_unanswered:
        repeated = (*repeated, redis.TimeoutError)
    backoff = FullJitterBackoff(cap=min(_RETRY_CAP_S, patience.timeout_s / 4), base=_RETRY_BASE_S)
    pool = _Pool.from_url(
        url,
        max_connections=_CONNECTIONS,
        timeout=patience.timeout_s,
        socket_timeout=patience.timeout_s,
        socket_connect_timeout=patience.timeout_s,
        retry=Retry(backoff, patience.retries, supported_errors=repeated),
        health_check_interval=30,
    )
    pool.connection_class = _leaving(pool.connection_class)
    return Redis.from_pool(pool)


def connect_blocking(url: str, *, timeout_s: float) -> "redis.Redis":
    """A client for threads, which leaves a server that is no master as well. It repeats nothing."""
    retry = redis.retry.Retry(redis.backoff.NoBackoff(), 0)
    client = redis.Redis.from_url(url, socket_timeout=timeout_s, retry=retry)
    pool = client.connection_pool
    pool.connection_class = _leaving_thread(pool.connection_class, pool)
    return client


def leave(client: Client) -> None:
    """Have a client of ``connect`` make every connection anew: its name may lead to another server by now."""
    client.connection_pool.leave()


def leave_together(*clients: Client) -> None:
    """Clients of one server: what one of them learns of it, the others heed."""
    pools = list(dict.fromkeys(client.connection_pool for client in clients))
    for pool in pools:
        pool.together = pools


class _Marked(Protocol):
    """A connection that its pool makes anew before it is used again."""

    def mark_for_reconnect(self) -> None: ...


def _mark(connections: Iterable[_Marked]) -> None:
    for connection in connections:
        connection.mark_for_reconnect()


class _Pool(BlockingConnectionPool):
    """Waits for a free connection, and drops all of them when one meets a server that is no master."""

    def make_connection(self) -> Any:
        connection = super().make_connection()  # type: ignore[no-untyped-call]  # redis-py leaves it so
        connection.leave = self.leave
        return connection

    #: all that leave with it
    together: Sequence["_Pool"] = ()

    def leave(self) -> None:
        """Make every connection anew: idle ones before they are used again, the others when they are free."""
        for pool in self.together or (self,):
            _mark((*pool._available_connections, *pool._in_use_connections))

    async def ensure_connection(self, connection: AbstractConnection) -> None:
        if connection.should_reconnect():  # type: ignore[no-untyped-call]  # as above
            await connection.disconnect()
        await super().ensure_connection(connection)


C = TypeVar("C")


def _leaving(base: type[C]) -> type[C]:
    """A kind of asyncio connection that tells its pool of a server that is no master."""

    class Leaving(base):  # type: ignore[misc, valid-type]
        leave: Callable[[], None]

        async def read_response(self, *args: Any, **options: Any) -> Any:
            try:
                return await super().read_response(*args, **options)
            except (redis.ResponseError, redis.exceptions.BusyLoadingError) as error:
                if not _means_no_master(error):
                    raise
                self.leave()
                raise NoMasterError(error) from error

    return Leaving


def _leaving_thread(base: type[C], pool: "redis.ConnectionPool") -> type[C]:
    """The same for threads. The pool has no moment at which it could look at a mark of an idle connection."""

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
