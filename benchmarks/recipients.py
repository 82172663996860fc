"""The recipients of all benchmarks, generated from a seed so that they need not be stored.

Numbers are fictional: they are from ranges that regulators reserve for drama, and from the exchange 555 of North
America, which has no subscribers. They pass every check of ``phonenumbers``. ``CHECKSUMS`` pins the generated lists.
"""

import csv
import hashlib
import io
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import phonenumbers

from dispatcher.local.fictional_numbers import fictional_numbers

SEED = 20_241
#: one of this many rows has a number that does not exist, which only full validation detects
BAD_EVERY = 1000
#: one of this many rows is from outside North America, until the fictional numbers run out
_FOREIGN_EVERY = 4
#: the directory assistance of that exchange is a real service
_DIRECTORY_ASSISTANCE = 1212
_LINES = 10_000
_CHUNK_ROWS = 10_000

#: area codes of the United States, all assigned
_AREAS = (
    201, 202, 203, 205, 206, 207, 208, 209, 210, 212, 213, 214, 215, 216, 217, 218, 219, 224, 225, 228, 229, 231,
    234, 239, 240, 248, 251, 252, 253, 254, 256, 260, 262, 267, 269, 270, 276, 281, 301, 302, 303, 304, 305, 307,
    308, 309, 310, 312, 313, 314, 315, 316, 317, 318, 319, 320, 321, 323, 325, 330, 334, 336, 337, 339, 347, 351,
    352, 360, 361, 386, 401, 402, 404, 405, 406, 407, 408, 409, 410, 412, 413, 414, 415, 417, 419, 423, 425, 432,
    434, 435, 440, 443, 469, 478, 479, 480, 484, 501, 502, 503, 504, 507, 508, 509, 510, 512, 513, 515, 516, 517,
    518, 520,
)  # fmt: skip
MAX_ROWS = len(_AREAS) * (_LINES - 1)

_NAMES = (
    *("Adler", "Baker", "Costa", "Dubois", "Evans", "Fischer", "Garcia", "Hansen", "Ivanov", "Jensen", "Keller"),
    *("Lopez", "Moreau", "Novak", "Olsen"),
)

#: SHA-256 of lists, by format and number of rows
CHECKSUMS = {
    ("ndjson", 10_000): "ecf5cd204271275d07d0f5d71bd77ade17def2373642ef26b55f32f08a52a555",
    ("ndjson", 1_000_000): "b35093b647cec8dc8de9c2c7503219d5133699d846925f5cd8274c1bff645b5f",
    ("csv", 10_000): "1aca2db200edc9f5adfc69b8c69ef87c4ad2aabeb4a5522660acabed71cba67c",
    ("csv", 1_000_000): "583c6fa3f5c9a5a86005f4bacfb7bbab837134402b22cd95bf92fc2e2f90839f",
}


class Row(NamedTuple):
    """A recipient as a producer uploads it."""

    number: str
    reference: str
    name: str


def rows(count: int) -> Iterator[Row]:
    """Yield the first ``count`` recipients, at most ``MAX_ROWS``. Numbers are unique; invalid ones are cut short."""
    rng = random.Random(SEED)
    for index, number in zip(range(count), _numbers(), strict=False):
        reference = f"C{int(rng.random() * 1e8):08}"
        name = _NAMES[int(rng.random() * len(_NAMES))]
        yield Row(number[:-3] if index % BAD_EVERY == BAD_EVERY - 1 else number, reference, name)


def _numbers() -> Iterator[str]:
    foreign = (number for number in fictional_numbers() if not number.startswith("+1"))
    american = _american()
    for index, number in enumerate(american):
        if index % _FOREIGN_EVERY == 0 and (other := next(foreign, None)):
            yield other
        yield number


def _american() -> Iterator[str]:
    for line in range(_LINES):
        if line != _DIRECTORY_ASSISTANCE:
            yield from (f"+1{area}555{line:04}" for area in _AREAS)


def bad_rows(count: int) -> int:
    """Return how many of the first ``count`` recipients have to be refused."""
    return count // BAD_EVERY


Write = Callable[[Path, int], str]


def write_ndjson(path: Path, count: int) -> str:
    """Write one JSON object per line, and return the SHA-256 of the file."""
    lines = (json.dumps({"number": r.number, "reference": r.reference, "name": r.name}) + "\n" for r in rows(count))
    return _write(path, lines)


def write_csv(path: Path, count: int) -> str:
    """Write a CSV file with E.164 numbers, and return its SHA-256."""
    return _write(path, _csv(("number", "reference", "name"), rows(count)))


def write_raw(path: Path, count: int) -> str:
    """Write a CSV file as customers do: national numbers with a country column, every tenth international."""
    return _write(path, _csv(("Fax", "Country", "Customer No"), _raw_rows(count)))


def raw_rows(count: int) -> list[tuple[str, str]]:
    """Return the number and the country (ISO 3166 alpha-2) of each row of ``write_raw``."""
    return [(number, country) for number, country, _ in _raw_rows(count)]


def _raw_rows(count: int) -> Iterator[tuple[str, str, str]]:
    for index, row in enumerate(rows(count)):
        parsed = phonenumbers.parse(row.number)
        country = _COUNTRIES[parsed.country_code or 1]
        formats = phonenumbers.PhoneNumberFormat
        number_format = formats.INTERNATIONAL if index % 10 == 0 else formats.NATIONAL
        yield phonenumbers.format_number(parsed, number_format), country, row.reference


_COUNTRIES = {1: "US", 33: "FR", 44: "GB", 49: "DE", 61: "AU"}


def _csv(header: tuple[str, ...], lines: Iterator[tuple[str, ...]]) -> Iterator[str]:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(header)
    for index, line in enumerate(lines, start=1):
        writer.writerow(line)
        if index % _CHUNK_ROWS == 0:
            yield text.getvalue()
            text.seek(0)
            text.truncate()
    yield text.getvalue()


def _write(path: Path, chunks: Iterator[str]) -> str:
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for chunk in chunks:
            raw = chunk.encode()
            digest.update(raw)
            file.write(raw)
    return digest.hexdigest()
