"""The invariant of the store: every live job is in exactly one place, final ones are in none."""

from collections.abc import Collection
from enum import StrEnum

from dispatcher.core.job import Record, State


class Place(StrEnum):
    """Where a live job waits to be looked at. Rows behind their batch's cursor need no entry anywhere."""

    CURSOR = "cursor"
    DUE = "due"
    #: its country is held
    PARKED = "parked"
    LEASED = "leased"
    SENDING = "sending"
    #: the attempt may have reached the provider, and is looked for there; the job is still ``sending``
    UNCLEAR = "unclear"
    ACCEPTED = "accepted"


#: the places of jobs in flight, each a set of its own
WATCHED = (Place.LEASED, Place.SENDING, Place.UNCLEAR, Place.ACCEPTED)


def right_places(record: Record, row: int, cursor: int) -> frozenset[Place]:
    """Where a job may be, in one of them; empty for rows that belong nowhere.

    ``record`` as stored, whatever became of its batch. A send becomes unclear without a change of its record when its
    deadline passes.
    """
    match record.state:
        case State.WAITING:
            return frozenset({Place.DUE, Place.PARKED} if row < cursor else {Place.CURSOR})
        case State.LEASED:
            return frozenset({Place.LEASED})
        case State.SENDING:
            return frozenset({Place.UNCLEAR} if is_unclear(record) else {Place.SENDING, Place.UNCLEAR})
        case State.ACCEPTED:
            return frozenset({Place.ACCEPTED})
    return frozenset()


def is_unclear(record: Record) -> bool:
    """Whether the record of a job that is sending itself says that its attempt is looked for."""
    return record.unclear or record.looks > 0


def misplaced(record: Record, row: int, cursor: int, found: Collection[Place]) -> str:
    """What is wrong with the entries of a job, in words; empty when nothing is."""
    right = right_places(record, row, cursor)
    entries = right - {Place.CURSOR}
    if (len(found) == 1 and set(found) <= entries) or (not entries and not found):
        return ""
    places = " and ".join(sorted(found)) or "no place"
    return f"is {record.state.label} and in {places}, belongs in {' or '.join(sorted(right)) or 'none'}"
