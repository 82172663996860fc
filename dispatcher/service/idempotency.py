"""Idempotency keys: the same key with the same content means the same thing, with other content a conflict."""

import hashlib
import json
from dataclasses import asdict
from typing import Any

from dispatcher.service.errors import Conflict
from dispatcher.store.store import Store


def fingerprint(*values: Any) -> str:
    """SHA-256 (hex) over dataclasses and plain values; equal values give equal fingerprints in every process."""
    plain = [asdict(value) if hasattr(value, "__dataclass_fields__") else value for value in values]
    return hashlib.sha256(json.dumps(plain, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


async def same_id(store: Store, kind: str, key: str | None, content: str, new_id: str) -> str:
    """The id to work under: ``new_id``, or the one that ``key`` was first used with.

    ``content`` is the fingerprint of the request. Raises Conflict when the key came before with another one.
    """
    if not key:
        return new_id
    reservation = await store.idempotency_keys.reserve(kind, key, content, new_id)
    if reservation.fingerprint != content:
        raise Conflict(f"the idempotency key {key!r} was used before with other content; take a new key")
    return reservation.value
