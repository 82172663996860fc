"""ULIDs, the form of the provider's ids: 26 characters of Crockford's base 32."""

import os

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


#: Two letters at a time: ids are made as often as faxes are taken.
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]


def _base32(value: int, length: int) -> str:
    """`value` in an even number of letters."""
    return "".join([_PAIRS[(value >> shift) & 1023] for shift in range(5 * (length - 2), -1, -10)])


class Ulids:
    """Ids that sort by the time they were made, and never repeat.

    48 bits of time, then 40 random bits drawn once, then a counter: two emulators do not clash
    and two ids of one millisecond keep their order.
    """

    def __init__(self) -> None:
        self._middle = _base32(int.from_bytes(os.urandom(5), "big"), 8)
        self._count = 0
        self._last_ms = -1
        self._time = ""

    def new(self, now_ms: int) -> str:
        if now_ms != self._last_ms:
            self._last_ms, self._time = now_ms, _base32(now_ms, 10)
        self._count += 1
        return self._time + self._middle + _base32(self._count, 8)
