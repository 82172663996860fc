"""Words of closed sets, as people type them. Pure."""

import difflib
from collections.abc import Collection


def unknown_word(word: str, words: Collection[str]) -> str:
    """Return a sentence about a word that is none of the set, with the nearest right one or with all of them."""
    near = difflib.get_close_matches(word.lower(), [known.lower() for known in words], n=1)
    right = next((known for known in words if near and known.lower() == near[0]), None)
    advice = f"did you mean {right}?" if right else f"use one of {', '.join(sorted(words))}"
    return f"there is no {word[:100]!r}: {advice}"
