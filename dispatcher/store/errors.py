"""Errors of the store.

StoreError
├── StoreUnavailable    Redis does not answer: not reachable, loading, timed out
├── StoreRefuses        Redis answers but takes no writes: full, read-only, disk error
├── StoreRolledBack     Redis has lost writes that were acknowledged; nothing was changed
├── StoreNotReplicated  the write was executed, but too few replicas have it
├── StoreUnsafe         Redis is configured so that it can lose accepted data
├── WrongServer         the server is of another kind than the address says
├── UnknownLayout       the data in Redis was written by a version with an unknown layout
├── WrongKeyType       a key of the account is of another type; what needs it works again once it is restored
├── UnreadableData      one stored value cannot be decoded; everything else works
└── StoreFull           the maximum size of documents or callbacks is reached
"""

from collections.abc import Iterator
from contextlib import contextmanager

import redis

from dispatcher.store.client import NoMasterError


class StoreError(Exception):
    """Base class of the store's errors. The text is a sentence for people."""


class StoreUnavailable(StoreError):
    """Raised if Redis cannot be reached or does not answer in time; the same call may work later."""


class StoreRefuses(StoreError):
    """Raised if Redis refuses to write; reading may still work."""


class StoreRolledBack(StoreError):
    """Raised if Redis has lost writes. Sending is held, and repeating the same call works."""


class StoreNotReplicated(StoreError):
    """Raised if a write has not reached enough replicas in time. It may be repeated, and then waits again."""


class StoreUnsafe(StoreError):
    """Raised if the server's settings allow it to lose acknowledged writes."""


class WrongServer(StoreError):
    """Raised if the server is of another kind than the address says. Trying again does not help."""


class UnknownLayout(StoreError):
    """Raised if the data in Redis was written by a version with an unknown layout. Trying again does not help."""


class UnreadableData(StoreError):
    """Raised if a stored value cannot be decoded. Trying again does not help, and nothing is guessed in its place."""

    def __init__(self, key: str, reason: str) -> None:
        """``key`` is its key in Redis, ``reason`` what is wrong with it."""
        super().__init__(f"stored data cannot be read: {key}: {reason}. Run `bulkfax doctor`, which says what to do")
        self.key = key
        self.reason = reason


class WrongKeyType(StoreError):
    """Raised if keys of the account are of another type than ours. ``keys`` says which, and what they must be."""

    def __init__(self, keys: str) -> None:
        super().__init__(
            f"{keys}. Somebody has written over it: restore it from a copy of Redis, or rename it to begin with none. "
            "What needs it stands still until then"
        )


def is_outage(error: BaseException) -> bool:
    """Return whether an error concerns the store and not a single value: the same call may succeed later."""
    return isinstance(error, StoreError) and not isinstance(error, UnreadableData)


class StoreFull(StoreError):
    """Raised if the maximum size of documents or callbacks is reached."""


_REFUSALS = (redis.exceptions.OutOfMemoryError, redis.exceptions.ReadOnlyError)
#: codes of refusals for which redis-py has no class, and of those that Redis 6.2 puts into the text of a script's error
_REFUSAL_CODES = ("MISCONF", "NOREPLICAS", "OOM", "READONLY")
#: marks of errors of commands and scripts that met a value of another kind than they expect
_DAMAGE_MARKS = ("WRONGTYPE", "user_script", "not an integer", "not a valid float", "would overflow")


#: marks of errors of a cluster that has no node for the keys now; in a script they come with its name
_CLUSTER_MARKS = ("non local key", "the cluster is down")
_CLUSTER_ERRORS = (redis.exceptions.AskError, redis.exceptions.ClusterDownError, redis.exceptions.TryAgainError)


@contextmanager
def translated() -> Iterator[None]:
    """Translate exceptions of redis-py into StoreError; the original exception is kept as the cause."""
    try:
        yield
    except (redis.AuthenticationError, redis.exceptions.NoPermissionError) as error:
        raise StoreUnavailable(f"Redis refuses our login: {error}") from error
    except NoMasterError as error:
        if error.read_only:
            raise StoreRefuses(f"Redis takes no writes: {error}") from error
        if any(mark in str(error) for mark in _DAMAGE_MARKS):
            raise UnreadableData("Redis", str(error)) from error
        raise StoreUnavailable(f"Redis does not answer: {error}") from error
    except redis.TimeoutError as error:
        if "connecting" in str(error):
            raise StoreUnavailable(f"Redis does not answer: {error}") from error
        raise StoreUnavailable(f"Redis hangs: it took the command and did not answer in time ({error})") from error
    except (redis.ConnectionError, ConnectionError, TimeoutError) as error:
        raise StoreUnavailable(f"Redis does not answer: {error or type(error).__name__}") from error
    except _CLUSTER_ERRORS as error:  # MovedError is an AskError
        raise StoreUnavailable(f"Redis does not answer: the cluster has no node for the keys now ({error})") from error
    except redis.ResponseError as error:
        if any(mark in str(error) for mark in _CLUSTER_MARKS):
            raise StoreUnavailable(f"Redis does not answer: the cluster moves the keys ({error})") from error
        if isinstance(error, _REFUSALS) or any(code in str(error) for code in _REFUSAL_CODES):
            raise StoreRefuses(f"Redis takes no writes: {error}") from error
        if any(mark in str(error) for mark in _DAMAGE_MARKS):
            raise UnreadableData("Redis", str(error)) from error
        raise
