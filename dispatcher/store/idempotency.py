"""Stores idempotency keys, with the request of the first caller, for some days."""

import hashlib
from dataclasses import dataclass

from dispatcher.store.client import Client
from dispatcher.store.errors import translated
from dispatcher.store.keys import Keys

_DAY_S = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """The fingerprint of the first request with a key, and the value that was stored for it."""

    value: str
    fingerprint: str
    fresh: bool


class IdempotencyKeys:
    def __init__(self, client: Client, keys: Keys) -> None:
        self._client = client
        self._keys = keys

    async def reserve(self, kind: str, key: str, fingerprint: str, value: str, days: int = 7) -> Reservation:
        """Store fingerprint and value of the first call with a key; later calls get the stored ones. Safe to repeat."""
        name = self._keys.reservation(kind, hashlib.sha256(key.encode()).hexdigest())
        with translated():
            fresh = await self._client.set(name, f"{fingerprint}\n{value}", nx=True, ex=days * _DAY_S)
            stored = await self._client.get(name)
        was_fingerprint, _, was_value = (stored or b"").decode().partition("\n")
        return Reservation(value=was_value, fingerprint=was_fingerprint, fresh=bool(fresh))
