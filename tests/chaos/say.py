"""Writes to the people who watch a drill."""

import sys


def say(text: str) -> None:
    """Write a line to standard error."""
    print(text, file=sys.stderr, flush=True)
