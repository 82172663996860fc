"""Bodies of uploads, from files, bytes or rows, piece by piece, and answers that are saved as files."""

import csv
import hashlib
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO, NamedTuple

from dispatcher.client.errors import BadInput

#: called with (bytes so far, bytes in all)
Progress = Callable[[int, int], None]
#: called with the lines so far
LineProgress = Callable[[int], None]
#: called with the share of the work that is done, from 0 to 1
Share = Callable[[float], None]

#: a row with its columns by name, or the cells of a row; the first one of these has the headings
Row = Mapping[str, object] | Sequence[object]
#: a list of recipients: a file, the bytes of one (CSV, unless its kind is named), or rows
RecipientList = Path | bytes | Iterable[Row]

_PIECE_BYTES = 64 * 1024
#: rows up to this size are kept in memory, larger lists in a temporary file
_IN_MEMORY_BYTES = 1024 * 1024
CSV, NDJSON, PDF = "text/csv", "application/x-ndjson", "application/pdf"
_KINDS = {
    ".csv": CSV,
    ".tsv": "text/tab-separated-values",
    ".txt": "text/plain",
    ".ndjson": NDJSON,
    ".jsonl": NDJSON,
    ".json": "application/json",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".xls": "application/vnd.ms-excel",
    ".ods": "application/vnd.oasis.opendocument.spreadsheet",
}


#: endings of the names of lists
LIST_SUFFIXES = frozenset(_KINDS)


class Content(NamedTuple):
    """A body: its media type, its size, and its bytes from the beginning each time."""

    kind: str
    size: int
    pieces: Callable[[], Iterator[bytes]]


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


def document_id(path: Path) -> str:
    """Return the id that the API gives a document: its SHA-256. Raises BadInput if the file cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}") from error


def stored_content(source: Path | bytes, kind: str) -> Content:
    """Return the content of a file or of bytes. Raises BadInput if the file cannot be read."""
    if isinstance(source, bytes):
        return Content(kind, len(source), lambda: iter([source]))
    return Content(kind, _size_of(source), lambda: _pieces_of(source))


@contextmanager
def list_content(recipients: RecipientList, kind: str = "") -> Iterator[Content]:
    """Yield the content of a list. Rows are written to a temporary file, so that an upload can be repeated.

    Raises BadInput if a file cannot be read, or if these are no rows.
    """
    if isinstance(recipients, Path):
        yield stored_content(recipients, kind or recipients_kind(recipients))
    elif isinstance(recipients, bytes):
        yield stored_content(recipients, kind or CSV)
    elif isinstance(recipients, str):
        raise BadInput("a text is no list of recipients: give a Path, bytes, or rows")
    else:
        with SpooledTemporaryFile(_IN_MEMORY_BYTES) as file:
            kind = _write_rows(file, recipients)
            yield Content(kind, file.tell(), lambda: _pieces_from(file))


def _write_rows(file: IO[bytes], rows: Iterable[Row]) -> str:
    """Write rows as NDJSON or CSV and return which of them it is."""
    rest = iter(rows)
    first = next(rest, None)
    if first is None:
        raise BadInput("the list has no rows")
    by_name = isinstance(first, Mapping)
    text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
    cells = csv.writer(text)
    try:
        for position, row in enumerate(chain([first], rest), 1):
            if isinstance(row, str | bytes) or not isinstance(row, Mapping if by_name else Sequence):
                raise BadInput(f"row {position} is no {'dictionary' if by_name else 'sequence of cells'}")
            if by_name:
                text.write(json.dumps(row, ensure_ascii=False, default=str) + "\n")
            else:
                cells.writerow(row)
    except (TypeError, ValueError, csv.Error) as error:
        raise BadInput(f"row {position} cannot be written: {error}") from error
    finally:
        text.detach()
    return NDJSON if by_name else CSV


def _size_of(path: Path) -> int:
    try:
        with path.open("rb"):
            return path.stat().st_size
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}") from error


def _pieces_of(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from _pieces_from(file)


def _pieces_from(file: IO[bytes]) -> Iterator[bytes]:
    file.seek(0)
    while piece := file.read(_PIECE_BYTES):
        yield piece


class Saving:
    """A file that is being written; ``progress`` is told its lines."""

    def __init__(self, file: IO[bytes], progress: LineProgress) -> None:
        self._file = file
        self._progress = progress
        self._lines = 0
        #: bytes written
        self.size = 0

    def write(self, piece: bytes) -> None:
        self._file.write(piece)
        self.size += len(piece)
        self._lines += piece.count(b"\n")
        self._progress(self._lines)


@contextmanager
def saved_whole(path: Path, progress: LineProgress) -> Iterator[Saving]:
    """Yield a file that appears at ``path`` at the end of the block, or not at all if that fails.

    Raises BadInput if the file cannot be written.
    """
    partial = path.with_name(f".{path.name}.part")
    try:
        with partial.open("wb") as file:
            yield Saving(file, progress)
        partial.replace(path)
    except OSError as error:
        raise BadInput(f"{path} cannot be written: {error.strerror}") from error
    finally:
        partial.unlink(missing_ok=True)
