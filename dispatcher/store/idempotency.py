"""Stores idempotency keys, with the request of the first caller, until some days after their last use."""

import json
from dataclasses import dataclass

from dispatcher.core.names import KeyUse, digest
from dispatcher.store.client import Client
from dispatcher.store.decoding import decoding
from dispatcher.store.errors import translated
from dispatcher.store.keys import Keys

_KEPT_S = 7 * 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """The fingerprint of the first request with a key, and the value that was stored for it."""

    value: str
    fingerprint: str


class IdempotencyKeys:
    def __init__(self, client: Client, keys: Keys) -> None:
        self._client = client
        self._keys = keys

    async def reserve(self, use: KeyUse, *name: str | int, fingerprint: str, value: str = "") -> Reservation:
        """Store fingerprint and value of the first call with a name; later calls get the stored ones. Safe to repeat.

        ``name`` is the key, with the ids of what it belongs to.
        """
        stored_name = self._keys.reservation(use, digest(*name))
        with translated():
            async with self._client.pipeline(transaction=False) as pipe:
                # first, so that a stored one does not end between the other commands
                pipe.expire(stored_name, _KEPT_S)
                pipe.set(stored_name, json.dumps([fingerprint, value]), nx=True, ex=_KEPT_S)
                pipe.get(stored_name)
                *_, stored = await pipe.execute()
        return _decoded(stored_name, stored)

    async def stored(self, use: KeyUse, *name: str | int) -> Reservation | None:
        """Return what the first call with a name stored; None if it is not remembered. Nothing is changed."""
        stored_name = self._keys.reservation(use, digest(*name))
        with translated():
            stored = await self._client.get(stored_name)
        return _decoded(stored_name, stored) if stored is not None else None

    async def is_kept(self, use: KeyUse, *name: str | int) -> bool:
        """Return whether a call with a name is remembered, and remember it for as long again."""
        with translated():
            return bool(await self._client.expire(self._keys.reservation(use, digest(*name)), _KEPT_S))


def _decoded(stored_name: str, stored: bytes) -> Reservation:
    with decoding(stored_name):
        fingerprint, value = map(str, json.loads(stored))
        return Reservation(value=value, fingerprint=fingerprint)
