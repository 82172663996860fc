"""Looking at other processes from a test."""

import time
from collections.abc import Callable
from pathlib import Path


def until(what: Callable[[], object], seconds: float = 20.0) -> None:
    """Wait for a state of other processes, which tell nobody when they reach it."""
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


def gone(pid: int) -> bool:
    """True for a process that ended; one that only waits to be reaped has ended, too."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def descendants(pid: int) -> list[int]:
    """All processes below one, children before grandchildren."""
    children = [int(c) for c in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return [*children, *(below for child in children for below in descendants(child))]
