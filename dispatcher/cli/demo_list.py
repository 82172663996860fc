"""The demo's list of recipients: the example as it is, cut, or made longer with fictional numbers."""

import csv
import io
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from dispatcher.cli.output import CommandFailed

#: prefix of numbers that are reserved for fiction, and how many digits follow; none of them ever rings
_FICTIONAL = (
    *((f"+1{area}55501", 2) for area in ("202", "212", "303", "312", "404", "415", "503", "512", "617", "702")),
    *((f"+44{city}4960", 3) for city in ("113", "114", "116", "117", "118", "121", "131", "141", "151", "161")),
    ("+442079460", 3),
    ("+493023125", 3),
    ("+3319900", 4),
    *((f"+61{area}5550", 4) for area in ("2", "3", "7", "8")),
)


def fictional_numbers() -> Iterator[str]:
    """All of them, in E.164, each once."""
    for prefix, digits in _FICTIONAL:
        for number in range(10**digits):
            yield f"{prefix}{number:0{digits}}"


def write_list(example: Path, target: Path, rows: int | None) -> int:
    """Write ``rows`` lines of the example, or all of them; what it lacks is made up. Returns the rows written.

    Raises Failure when the example cannot be read, or more is asked for than there are fictional numbers.
    """
    try:
        header, *lines = example.read_bytes().splitlines(keepends=True)
    except (OSError, ValueError) as error:
        raise CommandFailed(f"the example {example} cannot be read: {error}") from error
    wanted = len(lines) if rows is None else rows
    target.write_bytes(b"".join([header, *lines[:wanted], *_made_up(header, lines, wanted - len(lines))]))
    return wanted


def _made_up(header: bytes, lines: list[bytes], count: int) -> list[bytes]:
    if count <= 0:
        return []
    known = b"".join(lines)
    fresh = (number for number in fictional_numbers() if number.encode() not in known)
    numbers = list(islice(fresh, count))
    if len(numbers) < count:
        most = len(lines) + len(numbers)
        raise CommandFailed(f"the demo has {most:,} fictional numbers: ask for no more rows than that")
    names = header.decode("utf-8-sig").strip()
    delimiter = max(",;\t", key=names.count)
    columns = next(csv.reader([names], delimiter=delimiter))
    return [_line(columns, delimiter, number, place) for place, number in enumerate(numbers, start=len(lines) + 1)]


def _line(columns: list[str], delimiter: str, number: str, place: int) -> bytes:
    values = {
        _column(columns, "fax", "number", "phone"): number,
        _column(columns, "ref", "customer", "id"): f"R{place}",
    }
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerow([values.get(column, "") for column in columns])
    return text.getvalue().encode()


def _column(columns: list[str], *words: str) -> str:
    """The first column whose name has one of the words, the earlier words first; empty when none has."""
    return next((column for word in words for column in columns if word in column.lower()), "")
