"""The file by which a probe sees that a process lives: its own loop touches it, and ``bulkfax alive`` reads its age.

It needs neither Redis nor a port, so a Redis that is away restarts nothing. A loop that hangs and a process that was
stopped cannot touch it.
"""

import asyncio
import os
from contextlib import suppress
from pathlib import Path

from dispatcher.settings import SettingsError

#: seconds between two touches of a loop that otherwise only waits
BEAT_S = 1.0


class AliveFile:
    """A file in ``BULKFAX_ALIVE_DIR``; without that setting nothing happens."""

    def __init__(self, folder: Path | None, name: str) -> None:
        """Name the file, and create its folder.

        Raises:
            SettingsError: The folder cannot be created.
        """
        self._path = folder / name if folder else None
        if folder:
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise SettingsError(f"BULKFAX_ALIVE_DIR: {error.strerror or error}: {folder}") from error

    def touch(self) -> None:
        """Give the file the present time. If that fails, its age will say so."""
        if self._path:
            with suppress(OSError):
                self._path.touch()

    def expect(self) -> None:
        """Make the file count as old until its process touches it, so that a start is not over before."""
        if self._path:
            with suppress(OSError):
                self._path.touch()
                os.utime(self._path, (0, 0))

    async def beat(self) -> None:
        """Touch the file from the running event loop until cancelled."""
        while True:
            self.touch()
            await asyncio.sleep(BEAT_S)
