"""Counts with their nouns, and shares of a whole, as all sentences for people write them.

A share is rounded down: only all of it is 1, or 100 %.
"""

import math

#: a share has four decimals
_STEPS = 10_000


def counted(count: float, singular: str, plural: str = "") -> str:
    """Return a count with its noun: ``1 line``, ``12,000 lines``. ``plural`` is for nouns that do not only add an s."""
    number = f"{count:,}" if isinstance(count, int) else f"{count:g}"
    return f"{number} {singular if count == 1 else plural or singular + 's'}"


def share_of(part: int, whole: int) -> float:
    """Return a share to four decimals, rounded down. The whole has to be more than 0."""
    return part * _STEPS // whole / _STEPS


def percent(share: float, decimals: int = 0) -> str:
    """Return a share in percent, rounded down: ``51 %``. What is not nothing is never shown as 0 %."""
    step = 10**-decimals
    # a share such as 0.29 is no exact number
    steps = math.floor(round(share * 100 / step, 6))
    return f"<{step:g} %" if share > 0 and steps == 0 else f"{steps * step:.{decimals}f} %"
