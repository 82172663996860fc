"""``preview``: shows on this machine what the recipients of a letter will see. Nothing is uploaded."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Annotated, Any

import typer

from dispatcher.child_process.runner import ChildFailed, ChildLimits, ChildProcesses, Ending
from dispatcher.cli import fax_options
from dispatcher.cli.output import CommandFailed, JsonOption, note, print_json, results
from dispatcher.cli.tables import table
from dispatcher.core.policy.policy import Policy

_CHECK, _DRAW = "dispatcher.documents.check", "dispatcher.documents.preview"
#: the largest picture has 1.2 MB before it is compressed
_LIMITS = ChildLimits(output_bytes=4_000_000)
#: why there is no result
_NO_RESULT = {
    Ending.TIME: f"it takes longer than {_LIMITS.seconds} s",
    Ending.MEMORY: f"it takes more than {_LIMITS.memory_bytes // 2**20} MB of memory",
    Ending.OUTPUT: "the result is too large",
    Ending.CRASH: "it ends every program that reads it, or takes all memory",
}

_Letter = Annotated[Path, typer.Argument(metavar="LETTER.pdf", help="The PDF.")]
_Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="DIR", help="Folder for the pictures. Default: LETTER-preview."),
]


@dataclass(frozen=True, slots=True)
class _Page:
    """A page that was drawn."""

    number: int
    seconds: float
    picture: Path


def preview(
    letter: _Letter,
    output: _Output = None,
    resolution: fax_options.Resolution = None,
    image_conversion: fax_options.ImageConversion = None,
    as_json: JsonOption = False,
) -> None:
    """Draw a letter as its recipients will see it, one picture a page, and show what will look bad."""
    folder = output or Path(f"{letter.stem}-preview")
    options = (resolution or "FINE", image_conversion or "HALFTONE")
    try:
        with letter.open("rb", buffering=0) as file:
            warnings, pages = asyncio.run(_looked_at(file, folder / letter.stem, options))
    except OSError as error:
        raise CommandFailed(f"{error.filename or letter}: {error.strerror}") from error
    if as_json:
        print_json(_as_json(warnings, pages))
        return
    _show(warnings, pages)


async def _looked_at(
    file: IO[bytes], name: Path, options: tuple[str, str]
) -> tuple[list[dict[str, Any]], Sequence[_Page]]:
    """Return the warnings, and the pages after their pictures were written. Raises CommandFailed and OSError."""
    processes, policy = ChildProcesses(), Policy()
    try:
        answer = await processes.answer(_CHECK, file, str(policy.max_pages), str(policy.warn_sending_time_s))
    except ChildFailed as error:
        raise CommandFailed(f"the PDF cannot be checked: {_NO_RESULT[error.ending]}") from error
    if refusal := answer.get("refusal"):
        raise CommandFailed(refusal)
    name.parent.mkdir(parents=True, exist_ok=True)
    pages = [await _drawn(processes, file, number, name, options) for number in range(1, answer["pages"] + 1)]
    return answer["warnings"], pages


async def _drawn(
    processes: ChildProcesses, file: IO[bytes], number: int, name: Path, options: tuple[str, str]
) -> _Page:
    try:
        arguments = (str(number), *options, "timed")
        answer, png = await processes.answer_and_file(_DRAW, file, *arguments, limits=_LIMITS)
    except ChildFailed as error:
        raise CommandFailed(f"page {number} cannot be drawn: {_NO_RESULT[error.ending]}") from error
    if not png:
        raise CommandFailed(f"page {number} cannot be drawn: open the document and export it again")
    picture = name.with_name(f"{name.name}-{number}.png")
    picture.write_bytes(png)
    return _Page(number, answer["seconds"], picture)


def _as_json(warnings: list[dict[str, Any]], pages: Sequence[_Page]) -> dict[str, Any]:
    return {
        "pages": [{"page": page.number, "seconds": round(page.seconds, 1), "picture": page.picture} for page in pages],
        "seconds": round(sum(page.seconds for page in pages), 1),
        "warnings": warnings,
    }


def _show(warnings: list[dict[str, Any]], pages: Sequence[_Page]) -> None:
    drawn = table("page", "seconds", "picture", numbers=["page", "seconds"])
    for page in pages:
        drawn.add_row(str(page.number), f"{page.seconds:.1f}", str(page.picture))
    results.print(drawn)
    if warnings:
        listed = table("warning", "page", "what", numbers=["page"], prose=["what"])
        for warning in warnings:
            listed.add_row(warning["code"], str(warning["page"] or ""), warning["sentence"])
        results.print(listed)
    else:
        results.print("No warnings.")
    note("Seconds are the least time of sending, at 14.4 kbit/s.")
    note("This is bulkfax's own conversion. The provider's is not public, so the fax can look a little different.")
