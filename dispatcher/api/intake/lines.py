"""Text to blocks of whole lines, with a bound on how long a line may be."""

from collections.abc import Iterator
from typing import NamedTuple

#: Longest row, in characters; a longer one is refused.
ROW_CHARACTERS = 64 * 1024


class Block(NamedTuple):
    """Whole lines with their line ends, or one line cut short because it was too long."""

    text: str
    too_long: bool


class LineBuffer:
    """Keeps the unfinished line between pieces, and no more of it than shows that it is too long."""

    def __init__(self) -> None:
        self._rest = ""

    def feed(self, text: str, final: bool = False) -> list[Block]:
        """Return the lines that are complete; ``final`` says that no more follow."""
        text = self._rest + text
        end = len(text) if final else text.rfind("\n") + 1
        whole, self._rest = text[:end], text[end : end + ROW_CHARACTERS + 1]
        # Only in a block that is longer than a line may be can there be a line that is too long.
        if len(whole) > ROW_CHARACTERS:
            return list(_sorted_out(whole))
        return [Block(whole, too_long=False)] if whole else []


def _sorted_out(whole: str) -> Iterator[Block]:
    """Give every line that is too long a block of its own."""
    start = at = 0
    while at < len(whole):
        end = whole.find("\n", at) + 1 or len(whole)
        if len(whole[at:end].rstrip("\n")) > ROW_CHARACTERS:
            if start < at:
                yield Block(whole[start:at], too_long=False)
            yield Block(whole[at:end], too_long=True)
            start = end
        at = end
    if start < len(whole):
        yield Block(whole[start:], too_long=False)
