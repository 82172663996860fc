"""Streams a response to a file, if it is what was asked for and not larger than that can be.

The file gets its name only when it is complete.
"""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from dispatcher.sinch.coerce import explanation
from dispatcher.sinch.errors import SaveError, UnreadableError

_MB = 1_000_000
_TYPE_CHARS = 100
#: bytes by which the kind of a file is recognised
_HEAD_BYTES = 16
#: what providers send if they do not know the type
_ANY_TYPE = frozenset({"", "application/octet-stream", "binary/octet-stream"})


@dataclass(frozen=True, slots=True, kw_only=True)
class FileKind:
    """A kind of file that the provider sends."""

    name: str
    media_types: frozenset[str]
    #: what a file begins with; empty: anything but an HTML page or JSON
    starts: tuple[bytes, ...]
    #: maximum size, decompressed
    max_bytes: int


#: the provider sends PDF, and TIFF for faxes that it stored as such; it accepts 20 MB
DOCUMENT = FileKind(
    name="PDF or TIFF",
    media_types=frozenset({"application/pdf", "image/tiff", "image/tif"}),
    starts=(b"%PDF-", b"II*\0", b"MM\0*"),
    max_bytes=50 * _MB,
)
#: a fax has about 400 bytes
CSV = FileKind(
    name="CSV",
    media_types=frozenset({"text/csv", "application/csv", "text/plain"}),
    starts=(),
    max_bytes=1000 * _MB,
)


class FileSink:
    """Context manager that writes to ``<target>.part`` and renames it at the end, or removes it after an error.

    Its methods raise ``SaveError`` if the file cannot be written, and ``UnreadableError`` if the content is too large
    or of another kind.
    """

    def __init__(self, target: Path, kind: FileKind) -> None:
        self._target = target
        self._kind = kind
        self._part = target.with_name(f"{target.name}.part")
        self._file: BinaryIO | None = None
        self._head = b""
        #: bytes written in the current attempt
        self.size = 0

    def __enter__(self) -> Self:
        try:
            self._file = self._part.open("wb")
        except OSError as error:
            raise SaveError(f"cannot write {self._part}: {error.strerror}") from error
        return self

    def restart(self, content_type: str) -> None:
        """Discard what an earlier attempt has written; ``content_type`` is that of the next one."""
        assert self._file is not None
        media_type = explanation(content_type.partition(";")[0], _TYPE_CHARS).strip().lower()
        if media_type not in self._kind.media_types | _ANY_TYPE:
            raise UnreadableError(f"the content is no {self._kind.name}, but {media_type}")
        self._file.seek(0)
        self._file.truncate()
        self._head = b""
        self.size = 0

    def write(self, data: bytes) -> None:
        """Append data to the file."""
        assert self._file is not None
        self._head = (self._head + data[:_HEAD_BYTES])[:_HEAD_BYTES]
        if not self._begins_well():
            raise UnreadableError(f"the content is no {self._kind.name}")
        if self.size + len(data) > self._kind.max_bytes:
            raise UnreadableError(f"the content has more than {self._kind.max_bytes // _MB:,} MB")
        try:
            self._file.write(data)
        except OSError as error:
            raise SaveError(f"cannot write {self._part}: {error.strerror}") from error
        self.size += len(data)

    def check_complete(self) -> None:
        """Check that the content is more than the beginning of a file."""
        if self._kind.starts and not self._head.startswith(self._kind.starts):
            raise UnreadableError(f"the content is no {self._kind.name}")

    def _begins_well(self) -> bool:
        """Return whether the first bytes, which may be few, are those of a file of the kind."""
        if self._kind.starts:
            return any(self._head.startswith(start[: len(self._head)]) for start in self._kind.starts)
        return not self._head.lstrip().startswith((b"<", b"{"))

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
