"""The index of all jobs by number and reference: which pieces hold, and how a job is found in them.

The index is a list of pieces, each a text of bytes to which every stored chunk of recipients adds an entry: how many
rows it has and the first of them, the batch, and for each row four bytes of the keyed hash of its number and four of a
checksum of its reference. That is 8 bytes a job of a list, and some 40 of a single fax. A match may be an accident (one
row in four thousand million), so callers compare the job itself.
"""

import struct
import sys
import zlib
from array import array
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from dispatcher.core.job import JobId
from dispatcher.core.repeats import HASH_BYTES, pack_hashes

#: number of rows and the first row of an entry; then follow the batch, a zero byte, and the rows
_HEAD = struct.Struct("<HI")
_NUMBER_BYTES = _REFERENCE_BYTES = 4
ROW_BYTES = _NUMBER_BYTES + _REFERENCE_BYTES
#: the checksum of rows without a reference; a reference that has it by accident is looked up as the next one
_NO_REFERENCE = 0


class Needle(NamedTuple):
    """What is looked up: the bytes of a number, of a reference, or of both. Empty: any."""

    number: bytes = b""
    reference: bytes = b""

    @classmethod
    def of(cls, number: str, reference: str, key: bytes) -> "Needle":
        """Return the bytes of a number (E.164) and a reference, each empty for any."""
        hashed = pack_hashes((number,), key)[:_NUMBER_BYTES] if number else b""
        checksum = _checksum(reference).to_bytes(_REFERENCE_BYTES, "little") if reference else b""
        return cls(hashed, checksum)


def pack_rows(hashes: bytes, references: Sequence[str]) -> bytes:
    """Return the rows of an entry.

    Args:
        hashes: Keyed hashes of the numbers, as ``pack_hashes`` returns them.
        references: The references of the same rows, empty for none.
    """
    halves = array("I", hashes)
    rows = array("I", bytes(ROW_BYTES * len(references)))
    rows[::2] = halves[:: HASH_BYTES // _NUMBER_BYTES]
    checksums = array("I", map(_checksum, references))
    if sys.byteorder == "big":
        checksums.byteswap()
    rows[1::2] = checksums
    return rows.tobytes()


def find(piece: bytes, needles: Sequence[Needle], end: int = 0) -> list[tuple[int, JobId]]:
    """Return the jobs of a piece that match one of ``needles``, those that were added last first.

    Each comes with its position. That stays as it is when entries are added, and when rows become zeros because their
    batch is deleted. ``end``: only jobs before this position; 0 for all.
    """
    # most pieces have none, and to search a megabyte takes less than to take it apart
    present = [needle for needle in needles if all(part in piece for part in needle)]
    if not present:
        return []
    jobs = [
        (position + row * ROW_BYTES, JobId(batch, first + row))
        for batch, first, position, rows in _entries(piece)
        if not end or position < end
        for row in sorted({row for needle in present for row in _matching(rows, needle)})
    ]
    return [(position, job) for position, job in reversed(jobs) if not end or position < end]


def _checksum(reference: str) -> int:
    return (zlib.crc32(reference.encode()) or _NO_REFERENCE + 1) if reference else _NO_REFERENCE


def _entries(piece: bytes) -> Iterator[tuple[str, int, int, bytes]]:
    """Yield the batch, the first row, and the position and bytes of the rows of each entry, up to a damaged one."""
    position = 0
    while position + _HEAD.size < len(piece):
        count, first = _HEAD.unpack_from(piece, position)
        name_end = piece.find(b"\0", position + _HEAD.size)
        end = name_end + 1 + count * ROW_BYTES
        name = piece[position + _HEAD.size : name_end]
        if name_end < 0 or end > len(piece) or not name.isalnum():
            return
        yield name.decode("ascii"), first, name_end + 1, piece[name_end + 1 : end]
        position = end


def _matching(rows: bytes, needle: Needle) -> Iterator[int]:
    """Yield the positions of the rows that match."""
    part, offset = (needle.number, 0) if needle.number else (needle.reference, _NUMBER_BYTES)
    position = rows.find(part)
    while position >= 0:
        row, place = divmod(position, ROW_BYTES)
        reference = rows[row * ROW_BYTES + _NUMBER_BYTES : (row + 1) * ROW_BYTES]
        if place == offset and needle.reference in (b"", reference):
            yield row
        position = rows.find(part, position + 1)
