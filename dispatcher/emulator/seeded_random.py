"""Deterministic random numbers.

A number is a hash of the seed and of what it is used for, such as a phone number and the count of its calls. It does
not depend on the order in which requests arrive, so a run can be repeated with any concurrency.
"""

from hashlib import blake2b


def seeded_random(seed: int, *context: object) -> float:
    """Return a random number in [0, 1) that depends on the arguments only."""
    text = "|".join(map(str, (seed, *context)))
    return int.from_bytes(blake2b(text.encode(), digest_size=7).digest(), "big") / 2**56
