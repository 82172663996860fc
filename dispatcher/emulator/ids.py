"""ULIDs, the format of the provider's IDs: 26 characters in Crockford's base 32."""

import os

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


#: all pairs of letters; encoding two letters at a time is faster, and every fax needs an ID
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]


def _base32(value: int, length: int) -> str:
    """Encode a number; ``length`` is the number of letters and must be even."""
    return "".join([_PAIRS[(value >> shift) & 1023] for shift in range(5 * (length - 2), -1, -10)])


class Ulids:
    """Generates unique IDs that sort by creation time.

    An ID consists of the time (48 bits), a random number that is generated once (40 bits) and a counter. The IDs of
    two emulators differ, and IDs of the same millisecond sort in the order of their creation.
    """

    def __init__(self) -> None:
        self._middle = _base32(int.from_bytes(os.urandom(5), "big"), 8)
        self._count = 0
        self._last_ms = -1
        self._time = ""

    def new(self, now_ms: int) -> str:
        """Generate the next ID."""
        if now_ms != self._last_ms:
            self._last_ms, self._time = now_ms, _base32(now_ms, 10)
        self._count += 1
        return self._time + self._middle + _base32(self._count, 8)
