"""Streams a response to a file.

The file gets its name only when it is complete.
"""

from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from dispatcher.sinch.errors import SaveError


class FileSink:
    """Context manager that writes to ``<target>.part`` and renames it at the end, or removes it after an error.

    Its methods raise ``SaveError`` if the file cannot be written.
    """

    def __init__(self, target: Path) -> None:
        self._target = target
        self._part = target.with_name(f"{target.name}.part")
        self._file: BinaryIO | None = None
        #: bytes written in the current attempt
        self.size = 0

    def __enter__(self) -> Self:
        try:
            self._file = self._part.open("wb")
        except OSError as error:
            raise SaveError(f"cannot write {self._part}: {error.strerror}") from error
        return self

    def restart(self) -> None:
        """Discard what an earlier attempt has written."""
        assert self._file is not None
        self._file.seek(0)
        self._file.truncate()
        self.size = 0

    def write(self, data: bytes) -> None:
        """Append data to the file."""
        assert self._file is not None
        try:
            self._file.write(data)
        except OSError as error:
            raise SaveError(f"cannot write {self._part}: {error.strerror}") from error
        self.size += len(data)

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        assert self._file is not None
        if kind is not None:
            with suppress(OSError):
                self._file.close()
                self._part.unlink()
            return
        try:
            self._file.close()
            self._part.replace(self._target)
        except OSError as error:
            raise SaveError(f"cannot write {self._target}: {error.strerror}") from error
