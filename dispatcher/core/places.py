"""The invariant of the store: every live job is in exactly one place, final ones are in none."""

from collections.abc import Collection
from enum import StrEnum

from dispatcher.core.job import Record, State


class Place(StrEnum):
    """Where a live job waits to be looked at. Rows behind their batch's cursor need no entry anywhere."""

    CURSOR = "cursor"
    DUE = "due"
    LEASED = "leased"
    SENDING = "sending"
    ACCEPTED = "accepted"


_IN_FLIGHT = {State.LEASED: Place.LEASED, State.SENDING: Place.SENDING, State.ACCEPTED: Place.ACCEPTED}


def right_place(record: Record, row: int, cursor: int) -> Place | None:
    """Where a job belongs; None for rows that belong nowhere. ``record`` as stored, whatever became of its batch."""
    if record.state is State.WAITING:
        return Place.DUE if row < cursor else Place.CURSOR
    return _IN_FLIGHT.get(record.state)


def misplaced(record: Record, row: int, cursor: int, found: Collection[Place]) -> str:
    """What is wrong with the entries of a job, in words; empty when nothing is."""
    right = right_place(record, row, cursor)
    expected = {right} if right and right is not Place.CURSOR else set()
    if set(found) == expected:
        return ""
    places = " and ".join(sorted(found)) or "no place"
    return f"is {record.state.label} and in {places}, belongs in {right or 'none'}"
