"""Ids of batches: 26 letters and digits, of which the first ten grow with time, so that they sort by age (ULID)."""

import secrets

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_TIME_BITS, _CHANCE_BITS, _LETTER_BITS, _LENGTH = 48, 80, 5, 26


def batch_id(at_ms: int) -> str:
    """A new id for a batch created at ``at_ms``."""
    value = (at_ms % (1 << _TIME_BITS)) << _CHANCE_BITS | secrets.randbits(_CHANCE_BITS)
    return "".join(_ALPHABET[value >> _LETTER_BITS * place & 31] for place in reversed(range(_LENGTH)))
