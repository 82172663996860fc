"""Queues of messages to the workers, in the broker's database. Each is a list that is read by blocking commands.

A message contains only ids and may be lost, late or duplicated without harm. It is therefore removed as soon as a
process takes it: there are no acknowledgements, and a process that dies leaves nothing behind.

All calls block: dramatiq uses them from threads.
"""

import threading
from collections.abc import Mapping, Sequence
from typing import Any

import redis

from dispatcher.store.client import connect_blocking
from dispatcher.store.errors import translated
from dispatcher.store.keys import DEFAULT_ACCOUNT, Keys

#: maximum number of messages in a queue
MAX_MESSAGES = 1000
#: seconds that a command may take; for a blocking command, in addition to the time for which it blocks
_TIMEOUT_S = 5.0
#: seconds for which a waiter blocks at a time; a message wakes it earlier, so this only detects dead connections
BLOCK_S = 5.0


class Queues:
    def __init__(self, url: str, *, account: str = DEFAULT_ACCOUNT, next_database: bool = False) -> None:
        """Use the database in ``url``, or the one after it. The first call connects.

        Raises ValueError if the URL is invalid, and ClusterAddressError if it is that of a cluster.
        """
        self._url = url
        self._keys = Keys(account)
        self._next_database = next_database
        self._client = self._connect(_TIMEOUT_S)

    def _connect(self, timeout_s: float) -> "redis.Redis":
        client = connect_blocking(self._url, timeout_s=timeout_s)
        if self._next_database:
            connection = client.connection_pool.connection_kwargs
            connection["db"] = connection.get("db", 0) + 1
        return client

    def push(self, queue: str, messages: Sequence[bytes]) -> None:
        """Append messages to a queue. Each wakes one waiter. Raises StoreError.

        If the queue is too long, the oldest messages are dropped.
        """
        if messages:
            with translated():
                pipe = self._client.pipeline(transaction=False)
                pipe.rpush(self._keys.queue(queue), *messages)
                pipe.ltrim(self._keys.queue(queue), -MAX_MESSAGES, -1)
                pipe.execute()

    def push_front(self, queue: str, messages: Sequence[bytes]) -> None:
        """Put back messages that were popped but not processed, before the others and in their order."""
        if messages:
            with translated():
                self._client.lpush(self._keys.queue(queue), *reversed(messages))

    def lengths(self, queues: Sequence[str]) -> Mapping[str, int]:
        """Return the number of messages in each queue. Raises StoreError."""
        with translated():
            pipe = self._client.pipeline(transaction=False)
            for queue in queues:
                pipe.llen(self._keys.queue(queue))
            return dict(zip(queues, pipe.execute(), strict=True))

    def waiter(self, queue: str) -> "Waiter":
        """Return a waiter for messages of a queue, with its own connection."""
        return Waiter(self._client, self._connect(BLOCK_S + _TIMEOUT_S), self._keys.queue(queue))

    def close(self) -> None:
        self._client.close()


class Waiter:
    """Waits for messages in one thread; another thread can ``interrupt`` it permanently."""

    def __init__(self, client: "redis.Redis", own: "redis.Redis", key: str) -> None:
        self._client = client
        self._own = own
        self._key = key
        self._own_id = 0
        self._interrupted = threading.Event()

    def pop(self) -> bytes | None:
        """Wait for the next message and return it; None if none came for a while. Raises StoreError.

        It reconnects after an error.
        """
        try:
            with translated():
                if not self._own_id:
                    self._own_id = self._own.client_id()
                if self._interrupted.is_set():
                    return None
                popped: Any = self._own.blpop([self._key], timeout=BLOCK_S)
        except BaseException:
            self._own_id = 0
            raise
        return bytes(popped[1]) if popped else None

    def interrupt(self) -> None:
        """Make a waiting ``pop`` return None, and later ones return at once. No message is lost. Raises StoreError.

        Repeat the call until the waiting thread has returned, because it may have been just about to wait.
        """
        self._interrupted.set()
        if self._own_id:
            with translated():
                self._client.client_unblock(self._own_id)

    def close(self) -> None:
        self._own.close()
