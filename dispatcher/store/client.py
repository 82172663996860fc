"""The connection to Redis."""

from typing import Any

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import FullJitterBackoff

#: redis-py types every answer as bytes or text, whatever the client is set to; ours are bytes, and the codec reads them
Client = Any

#: Every script may be repeated after a lost reply, so the client may retry. All of it (three tries of at most 2 s and
#: the pauses between) plus a POST's total time is less than a lease.
_RETRIES, _RETRY_BASE_S, _RETRY_CAP_S, _TIMEOUT_S = 2, 0.05, 0.5, 2.0

#: of one process; who comes when all are taken waits
_CONNECTIONS = 32


def connect(url: str) -> Client:
    """A client that connects at its first call. Raises ValueError when the URL cannot be read."""
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=_CONNECTIONS,
        timeout=_TIMEOUT_S,
        socket_timeout=_TIMEOUT_S,
        socket_connect_timeout=_TIMEOUT_S,
        retry=Retry(FullJitterBackoff(cap=_RETRY_CAP_S, base=_RETRY_BASE_S), _RETRIES),
        health_check_interval=30,
    )
    return Redis.from_pool(pool)
