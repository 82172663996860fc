"""Things kept for a while or made once: idempotency reservations and secrets."""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from dispatcher.store import keys
from dispatcher.store.client import Client
from dispatcher.store.errors import translated

_SECRET_BYTES = 32
_DAY_S = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """What the first caller with this key asked for, and the name it was given."""

    value: str
    fingerprint: str
    fresh: bool


class IdempotencyKeys:
    def __init__(self, client: Client) -> None:
        self._client = client

    async def reserve(self, kind: str, key: str, fingerprint: str, value: str, days: int = 7) -> Reservation:
        """The first call with a key decides fingerprint and value; later ones are told them. Safe to repeat."""
        name = keys.keep(kind, hashlib.sha256(key.encode()).hexdigest())
        with translated():
            fresh = await self._client.set(name, f"{fingerprint}\n{value}", nx=True, ex=days * _DAY_S)
            stored = await self._client.get(name)
        was_fingerprint, _, was_value = (stored or b"").decode().partition("\n")
        return Reservation(value=was_value, fingerprint=was_fingerprint, fresh=bool(fresh))

    async def secret(self, name: str) -> bytes:
        """A key of this installation, made at first use."""
        with translated():
            await self._client.hsetnx(keys.SECRETS, name, secrets.token_hex(_SECRET_BYTES))
            return bytes(await self._client.hget(keys.SECRETS, name) or b"")

    async def callback_keys(self, configured: Sequence[str]) -> list[bytes]:
        """Keys of the callback signature: the first signs, all verify. One is made and kept when none is set."""
        return [key.encode() for key in configured] or [await self.secret("callback")]
