"""Counts with their nouns, as all sentences for people write them."""


def counted(count: float, singular: str, plural: str = "") -> str:
    """Return a count with its noun: ``1 line``, ``12,000 lines``. ``plural`` is for nouns that do not only add an s."""
    number = f"{count:,}" if isinstance(count, int) else f"{count:g}"
    return f"{number} {singular if count == 1 else plural or singular + 's'}"
