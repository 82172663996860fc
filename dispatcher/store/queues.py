"""Queues of messages to the workers, in the broker's database: one list each, read by commands that block.

A message carries ids only and may be lost, late or doubled without harm, so it is gone from Redis as soon as one
process has it: nothing waits for an acknowledgement, and nothing is left behind by a process that dies.

Blocking calls, for threads: this is dramatiq's side.
"""

import threading
from collections.abc import Mapping, Sequence
from typing import Any

import redis

from dispatcher.store.client import connect_blocking
from dispatcher.store.errors import translated
from dispatcher.store.keys import DEFAULT_ACCOUNT, Keys

#: messages of one queue
MOST = 1000
#: seconds; one command that does not block, and how long the answer of one that does may be overdue
_TIMEOUT_S = 5.0
#: seconds that a waiter blocks at a time. It is woken by a message; this only finds out that a connection is dead
BLOCK_S = 5.0


class Queues:
    def __init__(self, url: str, *, account: str = DEFAULT_ACCOUNT, next_database: bool = False) -> None:
        """In the database that ``url`` names, or in the one after it. Connects at the first call.

        Raises ValueError when the URL cannot be read.
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
        """Put messages behind the others. Wakes one waiter for each of them. Raises StoreError.

        Of too many that nobody takes the oldest are dropped.
        """
        if messages:
            with translated():
                pipe = self._client.pipeline(transaction=False)
                pipe.rpush(self._keys.queue(queue), *messages)
                pipe.ltrim(self._keys.queue(queue), -MOST, -1)
                pipe.execute()

    def push_front(self, queue: str, messages: Sequence[bytes]) -> None:
        """Put back messages that were popped and not worked on, before the others and in their order."""
        if messages:
            with translated():
                self._client.lpush(self._keys.queue(queue), *reversed(messages))

    def lengths(self, queues: Sequence[str]) -> Mapping[str, int]:
        """Messages that nobody has taken yet, by queue. Raises StoreError."""
        with translated():
            pipe = self._client.pipeline(transaction=False)
            for queue in queues:
                pipe.llen(self._keys.queue(queue))
            return dict(zip(queues, pipe.execute(), strict=True))

    def waiter(self, queue: str) -> "Waiter":
        """Something that waits for messages of a queue, on a connection of its own."""
        return Waiter(self._client, self._connect(BLOCK_S + _TIMEOUT_S), self._keys.queue(queue))

    def close(self) -> None:
        self._client.close()


class Waiter:
    """Waits for messages in one thread; another thread may ``interrupt`` it for good."""

    def __init__(self, client: "redis.Redis", own: "redis.Redis", key: str) -> None:
        self._client = client
        self._own = own
        self._key = key
        self._own_id = 0
        self._interrupted = threading.Event()

    def pop(self) -> bytes | None:
        """The next message, as soon as there is one; None when none came for a while. Raises StoreError.

        Connects anew after an error.
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
        """Let a ``pop`` that waits return None, and later ones at once. Repeat it until the waiting thread has seen it:
        it may just be about to wait. No message is lost. Raises StoreError."""
        self._interrupted.set()
        if self._own_id:
            with translated():
                self._client.client_unblock(self._own_id)

    def close(self) -> None:
        self._own.close()
