"""Reads Markdown files."""

import re
from functools import cache
from pathlib import Path


@cache
def anchors(path: Path) -> frozenset[str]:
    """Return the anchors that GitHub generates from the headings of a Markdown file."""
    lines = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return frozenset(re.sub(r"[^\w -]", "", line.lower()).replace(" ", "-") for line in lines)
