"""Idempotency keys: a key used again with the same content repeats a request; with other content it is a conflict."""

import hashlib
import json
from dataclasses import asdict
from typing import Any

from dispatcher.core.names import KeyUse
from dispatcher.service.errors import Conflict
from dispatcher.store.store import Store


def fingerprint(*values: Any) -> str:
    """Return the SHA-256 (hex) of dataclasses and plain values. It is the same for equal values in every process."""
    plain = [asdict(value) if hasattr(value, "__dataclass_fields__") else value for value in values]
    return hashlib.sha256(json.dumps(plain, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


async def same_id(store: Store, use: KeyUse, key: str | None, content: str, new_id: str) -> str:
    """Return the id that belongs to an idempotency key: ``new_id``, or the id that the key was first used with.

    Args:
        store: The store that remembers the keys.
        use: What the key is for; keys of different uses are independent.
        key: The idempotency key. Without a key the result is ``new_id``.
        content: Fingerprint of the request.
        new_id: The id to use for a new key.

    Raises:
        Conflict: The key was used before with another fingerprint.
    """
    if not key:
        return new_id
    reservation = await store.idempotency_keys.reserve(use, key, fingerprint=content, value=new_id)
    if reservation.fingerprint != content:
        raise Conflict(f"the idempotency key {key!r} was used before with other content; use a new key")
    return reservation.value
