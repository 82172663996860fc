"""Splits text into blocks of whole lines, and separates lines that are too long."""

from collections.abc import Iterator
from typing import NamedTuple

#: longest row, in characters; a longer one is refused
ROW_CHARACTERS = 64 * 1024


class Block(NamedTuple):
    """Whole lines with their line ends, or one line that is too long."""

    text: str
    too_long: bool


class LineBuffer:
    """Keeps the incomplete line between two texts, cut to the length that shows that it is too long."""

    def __init__(self) -> None:
        self._rest = ""

    def feed(self, text: str, final: bool = False) -> list[Block]:
        """Return the lines that are complete; ``final`` marks the end of the input."""
        text = self._rest + text
        end = len(text) if final else text.rfind("\n") + 1
        whole, self._rest = text[:end], text[end : end + ROW_CHARACTERS + 1]
        # a block within the limit for a line has no line beyond it
        if len(whole) > ROW_CHARACTERS:
            return list(_split_long_lines(whole))
        return [Block(whole, too_long=False)] if whole else []


def _split_long_lines(whole: str) -> Iterator[Block]:
    """Yield the text in blocks, with each line that is too long in a block of its own."""
    start = position = 0
    while position < len(whole):
        end = whole.find("\n", position) + 1 or len(whole)
        if len(whole[position:end].rstrip("\n")) > ROW_CHARACTERS:
            if start < position:
                yield Block(whole[start:position], too_long=False)
            yield Block(whole[position:end], too_long=True)
            start = end
        position = end
    if start < len(whole):
        yield Block(whole[start:], too_long=False)
