"""Which version of a batch's definition an attempt was sent by. Pure.

Nearly all attempts follow from two things that are kept of each version: its number, and the row up to which jobs had
been leased when it was made. No job behind that row had begun before. An attempt is noted with its version only where
that says something else: a job that was leased earlier, or is tried again.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple


class VersionStart(NamedTuple):
    """A version, and the first row of which no job had been leased when it was made."""

    version: int
    row: int


class NotedAttempt(NamedTuple):
    """From this attempt of a job on, its fax was that of the version."""

    attempt: int
    version: int


def first_version(starts: Iterable[VersionStart], row: int) -> int:
    """Return the version by which the attempts of a row were sent that are not noted."""
    return max((start.version for start in starts if start.row <= row), default=1)


def version_of(attempt: int, row: int, starts: Sequence[VersionStart], noted: Sequence[NotedAttempt]) -> int:
    """Return the version by which an attempt was sent."""
    known = [entry.version for entry in noted if entry.attempt <= attempt]
    return known[-1] if known else first_version(starts, row)


def with_start(starts: Sequence[VersionStart], new: VersionStart) -> tuple[VersionStart, ...]:
    """Return the starts with a new one. It takes the place of one from the same row: nothing was sent by that."""
    return (*(start for start in starts if start.row != new.row), new)


def with_attempt(
    noted: Sequence[NotedAttempt], new: NotedAttempt, row: int, starts: Sequence[VersionStart]
) -> tuple[NotedAttempt, ...]:
    """Return what is noted of a job after an attempt has begun."""
    if version_of(new.attempt, row, starts, noted) == new.version:
        return tuple(noted)
    return (*noted, new)
