"""Places in the list of batches, which is sorted by the time of their creation and then by their names.

A place stays where it is when its batch is deleted, or others are.
"""

import re
from dataclasses import dataclass
from typing import NamedTuple

_MAX_ID = 64
#: between the two parts of a cursor, and before a name that is written in hexadecimal digits
_MARK, _HEX = ".", "~"
_SCORE = re.compile(r"-?(?:inf|[0-9.e+-]{1,24})")


class ListPlace(NamedTuple):
    """A place in the list: that of a name, whether the list still has it or not."""

    #: time of the creation in milliseconds since 1970, unless it is damaged
    score: float
    name: bytes

    @classmethod
    def parse(cls, cursor: str) -> "ListPlace":
        """Read a cursor. Raises ValueError for a text that is none."""
        score, _, name = cursor.rpartition(_MARK)
        if not name or not _SCORE.fullmatch(score):
            raise ValueError("this is no place in the list of batches")
        return cls(float(score), bytes.fromhex(name[1:]) if name.startswith(_HEX) else name.encode())

    @property
    def cursor(self) -> str:
        """The place as a text. A long name that is none of ours is cut: its place is before all that begin with it."""
        is_id = self.name.isascii() and self.name.isalnum() and len(self.name) <= _MAX_ID
        return f"{self.score:.17g}{_MARK}{self.name.decode() if is_id else _HEX + self.name[:_MAX_ID].hex()}"


@dataclass(frozen=True, slots=True)
class ListedBatch:
    """A name in the list, and its place."""

    place: ListPlace

    @property
    def id(self) -> str:
        """The name as people see it."""
        return self.place.name.decode(errors="replace")
