"""The invariant of the store: every live job is in exactly one place, final ones are in none."""

from collections.abc import Collection
from enum import StrEnum

from dispatcher.core.job import Record, State


class Place(StrEnum):
    """Where a live job is found. CURSOR means that the batch's cursor has not reached its row: no index lists it."""

    CURSOR = "cursor"
    DUE = "due"
    #: its country is held
    PARKED = "parked"
    LEASED = "leased"
    SENDING = "sending"
    #: the attempt may have reached the provider, and is searched for there; the job is still ``sending``
    UNCLEAR = "unclear"
    ACCEPTED = "accepted"


#: the places of jobs in flight, each a set of its own
WATCHED = (Place.LEASED, Place.SENDING, Place.UNCLEAR, Place.ACCEPTED)


def right_places(record: Record, row: int, cursor: int) -> frozenset[Place]:
    """Return the places allowed for a job, of which it is in exactly one; empty if it may be in none.

    Only the record is looked at, not the state of its batch. A send becomes unclear without a change of its record
    when its deadline passes.
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
    """Return whether the record of a sending job itself says that its attempt is searched for."""
    return record.unclear or record.lookups > 0


def misplacement(record: Record, row: int, cursor: int, actual: Collection[Place]) -> str:
    """Return what is wrong with the entries of a job, in words; empty if nothing is."""
    right = right_places(record, row, cursor)
    entries = right - {Place.CURSOR}
    if (len(actual) == 1 and set(actual) <= entries) or (not entries and not actual):
        return ""
    places = " and ".join(sorted(actual)) or "no place"
    return f"is {record.state.label} and in {places}, belongs in {' or '.join(sorted(right)) or 'none'}"
