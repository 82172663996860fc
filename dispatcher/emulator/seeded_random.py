"""Chance that repeats: the same question under the same seed always gets the same answer.

Every draw is a hash of what it is about (the number, and how many came before it), never of
the order in which requests happen to arrive, so that a run repeats whatever its concurrency.
"""

from hashlib import blake2b


def draw(seed: int, *about: object) -> float:
    """A number in [0, 1) that depends on nothing but the arguments."""
    text = "|".join(map(str, (seed, *about)))
    return int.from_bytes(blake2b(text.encode(), digest_size=7).digest(), "big") / 2**56
