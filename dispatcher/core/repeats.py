"""Whether a mailing was sent a short while ago: how many recipients two lists share, estimated from sketches.

A sketch of a list is its least keyed hashes, at most ``KEPT``. Below the largest hash of a full sketch it has every
number of its list, so two sketches show all shared numbers below the smaller of their ends, and what share of all
numbers that is. The sketches of lists of at most ``KEPT`` numbers are the lists, and the count is exact.

``KEPT`` is as high as it is because a short list has to be recognised as a part of a long one: with 1,024 hashes of a
million numbers, one number in a thousand would be seen.
"""

import hashlib
import sys
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

#: hashes of a sketch
KEPT = 65_536
#: shared recipients that make a repeat: as many as this, or more than this share of the shorter list
MANY = 20
SHARE = 0.1
#: how long a mailing, and a single fax, is compared with later ones
MAILING_MS, FAX_MS = 86_400_000, 600_000
HASH_BYTES = 8
_HASHES = 1 << 8 * HASH_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """How many recipients two lists share, and the number of the shorter one. Both are estimates unless ``exact``."""

    shared: int
    shorter: int
    exact: bool

    @property
    def repeats(self) -> bool:
        """Whether the later mailing counts as a repeat of the earlier one."""
        return self.shared >= MANY or self.shared > SHARE * self.shorter


class Sketch:
    """The least keyed hashes of a list of numbers, in order and without doubles."""

    __slots__ = ("_hashes", "_kept")

    def __init__(self, packed: bytes = b"", kept: int = KEPT) -> None:
        """Begin with these hashes."""
        self._hashes, self._kept = array("Q"), kept
        self.add(packed)

    def add(self, packed: bytes) -> None:
        """Add hashes as ``pack_hashes`` packs them. Those of a damaged end are left out.

        A hundred thousand take some 20 ms; the interpreter lock is held meanwhile.
        """
        added: Iterable[int] = _unpacked(packed[: len(packed) // HASH_BYTES * HASH_BYTES])
        if self.full:
            end = self.end
            added = [value for value in added if value < end]
        # what is in order already costs little to sort
        different = dict.fromkeys(sorted([*self._hashes, *added]))
        self._hashes = array("Q", islice(different, self._kept))

    @property
    def full(self) -> bool:
        """Whether it may lack numbers of its list."""
        return len(self._hashes) >= self._kept

    def __len__(self) -> int:
        return len(self._hashes)

    @property
    def packed(self) -> bytes:
        """The sketch as bytes."""
        return _packed(self._hashes)

    @property
    def end(self) -> int:
        """The hash below which the sketch has every number of its list."""
        return self._hashes[-1] if self.full else _HASHES

    @property
    def numbers(self) -> int:
        """The number of different numbers in the list, estimated if the sketch is full."""
        return _scaled(len(self) - 1, self.end) if self.full else len(self)

    def overlap(self, other: "Sketch") -> Overlap:
        """Return how many recipients this list and another share."""
        end = min(self.end, other.end)
        seen = sum(1 for value in set(self._hashes).intersection(other._hashes) if value < end)
        shorter = min(self.numbers, other.numbers)
        shared = min(shorter, _scaled(seen, end))
        return Overlap(shared=shared, shorter=shorter, exact=not (self.full or other.full))


def pack_hashes(numbers: Iterable[str], key: bytes) -> bytes:
    """Return the keyed hashes of numbers, eight bytes each."""
    # copies of a keyed hash take half the time of new ones; every recipient of every list passes here
    keyed, hashes = hashlib.blake2b(digest_size=HASH_BYTES, key=key), []
    for number in numbers:
        hashed = keyed.copy()
        hashed.update(number.encode())
        hashes.append(hashed.digest())
    return b"".join(hashes)


def _scaled(seen: int, end: int) -> int:
    """Return how many numbers there are if ``seen`` of them have hashes below ``end``."""
    return seen if end >= _HASHES else round(seen * _HASHES / end)


def _unpacked(packed: bytes) -> "array[int]":
    hashes = array("Q", packed)
    if sys.byteorder == "big":
        hashes.byteswap()
    return hashes


def _packed(hashes: "array[int]") -> bytes:
    swapped = array("Q", hashes)
    if sys.byteorder == "big":
        swapped.byteswap()
    return swapped.tobytes()
