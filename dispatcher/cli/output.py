"""Where the command line writes: results to standard output, progress and errors to standard error.

No other file of the command line prints. Everything printed here is shown as it is, whoever wrote it: markup is not
interpreted, and control characters are written out, so that no text can move the cursor, colour what follows, change
the title of the window, or turn the direction of the line.
"""

import json
import logging
import os
import sys
import traceback
from collections.abc import Iterable, Iterator
from typing import Annotated, Any

import typer
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from dispatcher.cli.failure import CommandFailed
from dispatcher.core.visible import visible

__all__ = [
    "AllowRepeat",
    "AllowWarnings",
    "CommandFailed",
    "JsonOption",
    "KeyOption",
    "Printer",
    "YesOption",
    "confirm",
    "note",
    "note_deleted",
    "note_trace",
    "notes",
    "print_json",
    "results",
    "styled",
]

#: width of tables that are not written to a terminal: enough that no id or number is cut
_PIPE_WIDTH = 160


class Printer(Console):
    """A console that shows every text as it is."""

    def __init__(self, **options: Any) -> None:
        super().__init__(highlight=False, markup=False, emoji=False, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        """Turn a text into what is printed of it. Tables measure their columns with this, too."""
        return super().render_str(visible(text), **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Render anything else. Only the console itself may move the cursor, for progress bars."""
        segments = (
            segment if segment.control else Segment(visible(segment.text), segment.style)
            for segment in super().render(renderable, options)
        )
        return segments if self.is_terminal else _without_padding(segments)


def _without_padding(segments: Iterable[Segment]) -> Iterator[Segment]:
    """Leave out the blanks that pad tables at the end of lines: programs that read a pipe do not want them."""
    blanks: list[Segment] = []
    for segment in segments:
        for position, part in enumerate(segment.text.split("\n")):
            if position:
                blanks.clear()
                yield Segment.line()
            text = part.rstrip(" ")
            if text or segment.control:
                yield from blanks
                blanks.clear()
                yield Segment(text, segment.style, segment.control)
            if len(text) < len(part):
                blanks.append(Segment(part[len(text) :], segment.style))
    yield from blanks


def _width() -> int | None:
    return None if sys.stdout.isatty() or "COLUMNS" in os.environ else _PIPE_WIDTH


#: writes results to standard output
results = Printer(width=_width())
#: writes progress, hints and errors to standard error
notes = Printer(stderr=True)

KeyOption = Annotated[
    str,
    typer.Option(
        "--key",
        help="Idempotency key. The same command with the same key continues what broke off. Default: a new key.",
    ),
]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before it is done, on a terminal.")]
AllowWarnings = Annotated[bool, typer.Option("--allow-warnings", help="Send although the documents have warnings.")]
AllowRepeat = Annotated[
    bool, typer.Option("--allow-repeat", help="Send although the same was sent to the same recipients lately.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line, for programs.")]


def styled(text: str, style: str = "", *, no_wrap: bool = False) -> Text:
    """Return a text with a style, such as ``red``."""
    return Text(visible(text), style, no_wrap=no_wrap)


def print_json(value: dict[str, Any]) -> None:
    """Print an object as JSON on one line. What must not reach a terminal is escaped as JSON defines it."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)
    print(visible(text), flush=True)  # noqa: T201  # the product


def note(text: str) -> None:
    """Print a line to standard error."""
    notes.print(text, soft_wrap=True)


def note_deleted(what: str, *, was_there: bool) -> None:
    """Say that something is deleted, or that there was nothing to delete."""
    note(f"{what} is deleted" if was_there else f"there is no {what} (any more): nothing was deleted")


class _NoteHandler(logging.Handler):
    """Prints what a library warns of."""

    def emit(self, record: logging.LogRecord) -> None:
        note(record.getMessage())


def note_warnings(logger: str) -> None:
    """Print the warnings of a logger to standard error."""
    known = logging.getLogger(logger)
    if not any(isinstance(handler, _NoteHandler) for handler in known.handlers):
        known.addHandler(_NoteHandler())


def note_trace(error: Exception) -> None:
    """Print where an error was raised. The trace has no values of variables: some of them are secrets."""
    note("".join(traceback.format_exception(error)))


def confirm(question: str, *, yes: bool) -> None:
    """Ask for confirmation unless ``yes``. Without it, the command ends with status 1."""
    if not yes:
        typer.confirm(visible(question), abort=True, err=True)
