"""Stores the secrets of an account, created at their first use: keys of callback signatures and of number hashes."""

import secrets
from collections.abc import Sequence

from dispatcher.store.client import Client
from dispatcher.store.errors import translated
from dispatcher.store.keys import Keys

_SECRET_BYTES = 32


class Secrets:
    def __init__(self, client: Client, keys: Keys) -> None:
        self._client = client
        self._keys = keys

    async def number_key(self) -> bytes:
        """Return the key with which numbers are hashed."""
        return await self._secret("number")

    async def callback_keys(self, configured: Sequence[str]) -> list[bytes]:
        """Return the keys of callback signatures: the first signs, all verify. Without configured ones, create one."""
        return [key.encode() for key in configured] or [await self._secret("callback")]

    async def _secret(self, name: str) -> bytes:
        with translated():
            await self._client.hsetnx(self._keys.secrets, name, secrets.token_hex(_SECRET_BYTES))
            return bytes(await self._client.hget(self._keys.secrets, name) or b"")
