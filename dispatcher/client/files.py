"""Uploads and downloads of files, piece by piece, with progress."""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx

from dispatcher.client.errors import BadInput

#: called with (bytes so far, bytes in all)
Progress = Callable[[int, int], None]
#: called with the lines so far
LineProgress = Callable[[int], None]

#: called with the share of the work that is done, from 0 to 1
Share = Callable[[float], None]

_PIECE_BYTES = 64 * 1024
_KINDS = {
    ".csv": "text/csv",
    ".tsv": "text/tab-separated-values",
    ".txt": "text/plain",
    ".ndjson": "application/x-ndjson",
    ".jsonl": "application/x-ndjson",
    ".json": "application/json",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".xls": "application/vnd.ms-excel",
    ".ods": "application/vnd.oasis.opendocument.spreadsheet",
}


#: endings of the names of lists
LIST_SUFFIXES = frozenset(_KINDS)


def no_progress(*_figures: int) -> None:
    """A progress callback that does nothing."""


def no_share(_share: float) -> None:
    """A callback for shares that does nothing."""


def recipients_kind(path: Path) -> str:
    """Return the Content-Type of a list of recipients by its file extension. Raises BadInput for other extensions."""
    try:
        return _KINDS[path.suffix.lower()]
    except KeyError as error:
        raise BadInput(f"{path}: the name must end in {', '.join(_KINDS)}") from error


def size_of(path: Path) -> int:
    """Return the size of a file in bytes. Raises BadInput if the file cannot be read."""
    try:
        with path.open("rb"):
            return path.stat().st_size
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}") from error


def document_id(path: Path) -> str:
    """Return the id that the API gives a document: its SHA-256. Raises BadInput if the file cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}") from error


def pieces(path: Path, progress: Progress) -> Iterator[bytes]:
    """Yield the bytes of a file. Raises BadInput at the first step if the file cannot be read."""
    total, sent = size_of(path), 0
    with path.open("rb") as file:
        while piece := file.read(_PIECE_BYTES):
            yield piece
            sent += len(piece)
            progress(sent, total)


def save(response: httpx.Response, path: Path, progress: LineProgress) -> int:
    """Write a streamed text response to ``path`` and return its size in bytes. The file appears whole or not at all.

    Raises BadInput if the file cannot be written.
    """
    partial = path.with_name(f".{path.name}.part")
    lines = 0
    try:
        with partial.open("wb") as file:
            for piece in response.iter_bytes():
                file.write(piece)
                lines += piece.count(b"\n")
                progress(lines)
        return partial.replace(path).stat().st_size
    except OSError as error:
        raise BadInput(f"{path} cannot be written: {error.strerror}") from error
    finally:
        partial.unlink(missing_ok=True)
