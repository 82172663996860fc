"""Ids of batches and others: ULIDs of 26 letters and digits. The first ten encode the time, so ids sort by age."""

import secrets

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_TIME_BITS, _RANDOM_BITS, _LETTER_BITS, _LENGTH = 48, 80, 5, 26


def batch_id(at_ms: int) -> str:
    """Return a new id for a batch created at ``at_ms``."""
    value = (at_ms % (1 << _TIME_BITS)) << _RANDOM_BITS | secrets.randbits(_RANDOM_BITS)
    return "".join(_ALPHABET[value >> _LETTER_BITS * position & 31] for position in reversed(range(_LENGTH)))


def endpoint_id(at_ms: int) -> str:
    """Return a new id for a webhook endpoint."""
    return f"we_{batch_id(at_ms)}"


def delivery_id(at_ms: int) -> str:
    """Return a new id for a delivery to a webhook endpoint."""
    return f"msg_{batch_id(at_ms)}"
