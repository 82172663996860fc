"""Where the command line writes: results to standard output, progress and errors to standard error."""

import json
import os
import sys
from typing import Annotated, Any

import typer
from rich.console import Console

from dispatcher.cli.failure import CommandFailed

__all__ = ["CommandFailed", "JsonOption", "KeyOption", "note", "notes", "print_json", "results"]

#: width of tables that are not written to a terminal: enough that no id or number is cut
_PIPE_WIDTH = 160


def _width() -> int | None:
    return None if sys.stdout.isatty() or "COLUMNS" in os.environ else _PIPE_WIDTH


#: writes results to standard output
results = Console(highlight=False, width=_width())
#: writes progress, hints and errors to standard error
notes = Console(stderr=True, highlight=False)

KeyOption = Annotated[
    str,
    typer.Option(
        "--key",
        help="Idempotency key. The same command with the same key continues what broke off. Default: a new key.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line, for programs.")]


def print_json(value: dict[str, Any]) -> None:
    """Print an object as JSON on one line."""
    print(json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str), flush=True)  # noqa: T201  # the product


def note(text: str) -> None:
    """Print a line to standard error, without markup, so that names and addresses appear unchanged."""
    notes.print(text, markup=False, soft_wrap=True)
