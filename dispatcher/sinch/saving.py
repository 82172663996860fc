"""An answer written to a file as it comes. The file appears under its name only when it is whole."""

from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from dispatcher.sinch.errors import SaveError


class FileSink:
    """Writes to ``<target>.part`` inside a with block, and renames it at a good end. Raises SaveError."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self._part = target.with_name(f"{target.name}.part")
        self._file: BinaryIO | None = None
        #: bytes of the present try
        self.size = 0

    def __enter__(self) -> Self:
        try:
            self._file = self._part.open("wb")
        except OSError as exc:
            raise SaveError(f"cannot write {self._part}: {exc.strerror}") from exc
        return self

    def restart(self) -> None:
        """Forget what a try before has written."""
        assert self._file is not None
        self._file.seek(0)
        self._file.truncate()
        self.size = 0

    def write(self, data: bytes) -> None:
        assert self._file is not None
        try:
            self._file.write(data)
        except OSError as exc:
            raise SaveError(f"cannot write {self._part}: {exc.strerror}") from exc
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
        except OSError as failure:
            raise SaveError(f"cannot write {self._target}: {failure.strerror}") from failure
