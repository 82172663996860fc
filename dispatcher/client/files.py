"""Files that go up and come down: read and written piece by piece, with progress."""

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx

from dispatcher.client.errors import BadInput

#: called with (bytes so far, bytes in all)
Progress = Callable[[int, int], None]
#: called with the lines so far
LineProgress = Callable[[int], None]

_PIECE_BYTES = 64 * 1024
_KINDS = {
    ".csv": "text/csv",
    ".ndjson": "application/x-ndjson",
    ".jsonl": "application/x-ndjson",
    ".json": "application/json",
}


def no_progress(*_figures: int) -> None:
    """Progress nobody looks at."""


def recipients_kind(path: Path) -> str:
    """Content-Type of a list of recipients, by its name. Raises BadInput for other kinds."""
    try:
        return _KINDS[path.suffix.lower()]
    except KeyError as error:
        raise BadInput(f"{path} is none of the kinds {', '.join(_KINDS)}: rename it, or save it as CSV") from error


def size_of(path: Path) -> int:
    """Size in bytes. Raises BadInput when the file cannot be read."""
    try:
        with path.open("rb"):
            return path.stat().st_size
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}") from error


def pieces(path: Path, progress: Progress) -> Iterator[bytes]:
    """The bytes of a file. Raises BadInput when it cannot be read."""
    total, sent = size_of(path), 0
    with path.open("rb") as file:
        while piece := file.read(_PIECE_BYTES):
            yield piece
            sent += len(piece)
            progress(sent, total)


def save(response: httpx.Response, path: Path, progress: LineProgress) -> int:
    """Write an open answer, a text, to ``path`` and return its bytes. The file appears whole or not at all.

    Raises BadInput when the file cannot be written.
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
