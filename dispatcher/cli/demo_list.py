"""Writes the recipient list of the demo: the example, shortened, or extended with fictional numbers."""

import csv
import io
from itertools import islice
from pathlib import Path

from dispatcher.cli.output import CommandFailed
from dispatcher.local.fictional_numbers import fictional_numbers


def write_list(example: Path, target: Path, rows: int | None) -> int:
    """Write a list of ``rows`` lines, those of the example first, then fictional ones.

    Args:
        example: The list of the examples.
        target: The file to write.
        rows: The number of lines; all of the example if None.

    Returns:
        The number of lines written.

    Raises:
        CommandFailed: The example cannot be read, or there are not enough fictional numbers.
    """
    try:
        header, *lines = example.read_bytes().splitlines(keepends=True)
    except (OSError, ValueError) as error:
        raise CommandFailed(f"the example {example} cannot be read: {error}") from error
    count = len(lines) if rows is None else rows
    target.write_bytes(b"".join([header, *lines[:count], *_fictional_lines(header, lines, count - len(lines))]))
    return count


def _fictional_lines(header: bytes, lines: list[bytes], count: int) -> list[bytes]:
    if count <= 0:
        return []
    known = b"".join(lines)
    fresh = (number for number in fictional_numbers() if number.encode() not in known)
    numbers = list(islice(fresh, count))
    if len(numbers) < count:
        available = len(lines) + len(numbers)
        raise CommandFailed(f"the demo has {available:,} fictional numbers: ask for no more rows than that")
    names = header.decode("utf-8-sig").strip()
    delimiter = max(",;\t", key=names.count)
    columns = next(csv.reader([names], delimiter=delimiter))
    return [_line(columns, delimiter, number, row) for row, number in enumerate(numbers, start=len(lines) + 1)]


def _line(columns: list[str], delimiter: str, number: str, row: int) -> bytes:
    values = {
        _column(columns, "fax", "number", "phone"): number,
        _column(columns, "ref", "customer", "id"): f"R{row}",
    }
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerow([values.get(column, "") for column in columns])
    return text.getvalue().encode()


def _column(columns: list[str], *words: str) -> str:
    """Return the first column whose name contains a word, trying the words in order, or ""."""
    return next((column for word in words for column in columns if word in column.lower()), "")
