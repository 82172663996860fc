"""Stores what a preview of a rerun has counted so far, for an hour."""

from dispatcher.store.client import Client
from dispatcher.store.decoding import decoding
from dispatcher.store.errors import translated
from dispatcher.store.keys import Keys

_KEPT_S = 3600


class Previews:
    def __init__(self, client: Client, keys: Keys) -> None:
        self._client = client
        self._keys = keys

    async def put(self, preview: str, counted: str) -> None:
        """Store the state of a preview, in place of an earlier one."""
        with translated():
            await self._client.set(self._keys.preview(preview), counted, ex=_KEPT_S)

    async def get(self, preview: str) -> str | None:
        """Return the state of a preview; None if there is none any more."""
        with translated():
            raw = await self._client.get(self._keys.preview(preview))
        with decoding(self._keys.preview(preview)):
            return raw.decode() if raw is not None else None
