"""Reads the index of all jobs by number and reference, piece by piece. The script ``add_chunk`` writes it."""

from dispatcher.store.client import Client
from dispatcher.store.decoding import decoding, whole
from dispatcher.store.errors import translated
from dispatcher.store.keys import Keys


class LookupIndex:
    def __init__(self, client: Client, keys: Keys) -> None:
        self._client = client
        self._keys = keys

    async def last_piece(self) -> int:
        """Return the number of the piece that is being written; 0 if there is none."""
        with translated():
            raw = await self._client.get(self._keys.lookup)
        with decoding(self._keys.lookup):
            if (number := whole(0 if raw is None else raw)) < 0:
                raise ValueError("a number of a piece is negative")
            return number

    async def piece(self, number: int) -> bytes:
        """Return a piece; empty if its time has ended. It has a megabyte at most."""
        with translated():
            return bytes(await self._client.get(self._keys.lookup_piece(number)) or b"")
