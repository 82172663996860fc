"""What can go wrong between us and Redis.

StoreError
├── StoreUnavailable    Redis does not answer: away, loading, timed out
├── StoreRefuses        Redis answers but takes no writes: full, read-only, disk error
├── StoreRolledBack     Redis has lost writes that were acknowledged; nothing was changed
├── StoreNotReplicated  it is written, and fewer replicas have it than are asked for
├── StoreUnsafe         Redis is set up so that it can lose what was accepted
├── UnknownLayout       the data in Redis was written by a version whose layout we do not know
└── StoreFull           our own cap on documents or callbacks is reached
"""

from collections.abc import Iterator
from contextlib import contextmanager

import redis

from dispatcher.store.client import NoMasterError


class StoreError(Exception):
    """Any failure of the store. The text is a sentence for people."""


class StoreUnavailable(StoreError):
    """Raised when Redis cannot be reached or does not answer in time; the same call may work later."""


class StoreRefuses(StoreError):
    """Raised when Redis refuses to write; reading may still work."""


class StoreRolledBack(StoreError):
    """Raised when Redis has lost writes. Sending is held by then, and the same call works when it is repeated."""


class StoreNotReplicated(StoreError):
    """Raised when a write has not reached enough replicas in time. It may be repeated, and then waits again."""


class StoreUnsafe(StoreError):
    """Raised when the server's settings allow it to forget what it acknowledged."""


class UnknownLayout(StoreError):
    """Raised when the data in Redis was written by a version whose layout we do not know. Trying again is no use."""


class StoreFull(StoreError):
    """Raised when a cap of our own is reached."""


_REFUSALS = (redis.exceptions.OutOfMemoryError, redis.exceptions.ReadOnlyError)
#: refusals for which redis-py has no class, and those that Redis 6.2 puts into the text of a failed script
_REFUSAL_CODES = ("MISCONF", "NOREPLICAS", "OOM", "READONLY")


@contextmanager
def translated() -> Iterator[None]:
    """Turn redis-py's exceptions into ours, once, at the boundary; the cause is kept."""
    try:
        yield
    except (redis.AuthenticationError, redis.exceptions.NoPermissionError) as error:
        raise StoreUnavailable(f"Redis refuses our login: {error}") from error
    except NoMasterError as error:
        if error.read_only:
            raise StoreRefuses(f"Redis takes no writes: {error}") from error
        raise StoreUnavailable(f"Redis does not answer: {error}") from error
    except redis.TimeoutError as error:
        if "connecting" in str(error):
            raise StoreUnavailable(f"Redis does not answer: {error}") from error
        raise StoreUnavailable(f"Redis hangs: it took the command and did not answer in time ({error})") from error
    except (redis.ConnectionError, ConnectionError, TimeoutError) as error:
        raise StoreUnavailable(f"Redis does not answer: {error or type(error).__name__}") from error
    except redis.ResponseError as error:
        if isinstance(error, _REFUSALS) or any(code in str(error) for code in _REFUSAL_CODES):
            raise StoreRefuses(f"Redis takes no writes: {error}") from error
        raise
