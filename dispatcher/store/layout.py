"""The version of the layout of the keys. A process that does not know it stops before it reads or writes anything."""

from dispatcher.store.client import Client
from dispatcher.store.errors import UnknownLayout, translated
from dispatcher.store.keys import LEGACY_KEYS, Keys

#: increase it with every change of the keys or values that an older version would misread
LAYOUT = 2


class Layout:
    """Reads and stores the version of the layout of the data in Redis."""

    def __init__(self, client: Client, keys: Keys, *, in_cluster: bool = False) -> None:
        """``in_cluster``: no older version could use it, and its node may not be asked for keys of other slots."""
        self._client = client
        self._keys = keys
        self._legacy_keys = () if in_cluster else LEGACY_KEYS

    async def check(self) -> None:
        """Compare the stored number with that of this version; change nothing.

        Raises:
            UnknownLayout: The data was written by a version with another layout.
        """
        await self._read_checked()

    async def establish(self) -> None:
        """Compare the stored number with that of this version, and store it if there is none.

        Raises:
            UnknownLayout: The data was written by a version with another layout.
        """
        if await self._read_checked() is None:
            with translated():
                # a process of another version may have stored its number meanwhile
                await self._client.set(self._keys.layout, LAYOUT, nx=True)
            await self._read_checked()

    async def _read_checked(self) -> int | None:
        """Return the stored layout number, None if there is none. Raises UnknownLayout for any number but LAYOUT."""
        with translated():
            async with self._client.pipeline(transaction=False) as pipe:
                pipe.get(self._keys.layout)
                for key in self._legacy_keys:
                    pipe.exists(key)
                number, *legacy = await pipe.execute()
        if number is None and any(legacy):
            raise UnknownLayout(
                "Redis holds data of an older version of bulkfax, whose keys name no account. "
                "Finish its batches with that version, or name an empty database in BULKFAX_REDIS_URL"
            )
        if number not in (None, str(LAYOUT).encode()):
            stored = number.decode(errors="replace")[:20]
            raise UnknownLayout(
                f"Redis holds data of layout {stored}, and this version of bulkfax knows layout {LAYOUT} only. "
                "Start the version that wrote it, or name another database in BULKFAX_REDIS_URL"
            )
        return None if number is None else LAYOUT
