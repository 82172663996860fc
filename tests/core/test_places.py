"""Where a live job belongs."""

import pytest

from dispatcher.core.job import FINAL, Record, State
from dispatcher.core.recovery.places import Place, misplacement, right_places

CURSOR = 5

RIGHT = [
    (Record(state=State.WAITING), 5, {Place.CURSOR}),
    (Record(state=State.WAITING), 4, {Place.DUE, Place.PARKED}),
    (Record(state=State.LEASED), 0, {Place.LEASED}),
    (Record(state=State.SENDING), 0, {Place.SENDING, Place.UNCLEAR}),
    (Record(state=State.SENDING, unclear=True), 0, {Place.UNCLEAR}),
    (Record(state=State.SENDING, lookups=1), 0, {Place.UNCLEAR}),
    (Record(state=State.ACCEPTED), 0, {Place.ACCEPTED}),
    (Record(state=State.ACCEPTED, unclear=True, lookups=2), 0, {Place.ACCEPTED}),
    (Record(state=State.VOID), 0, set[Place]()),
    *((Record(state=state), 0, set[Place]()) for state in FINAL),
]


@pytest.mark.parametrize(("record", "row", "right"), RIGHT)
def test_a_job_is_where_its_record_says_and_in_one_place_only(record: Record, row: int, right: set[Place]) -> None:
    """One that is sending may have become unclear without a change of its record."""
    assert right_places(record, row, CURSOR) == right
    entries = right - {Place.CURSOR}
    assert (misplacement(record, row, CURSOR, []) == "") is (not entries)
    for place in set(Place) - {Place.CURSOR}:
        assert (misplacement(record, row, CURSOR, [place]) == "") is (place in entries)
    assert misplacement(record, row, CURSOR, [Place.SENDING, Place.UNCLEAR])


def test_what_is_wrong_is_said_in_words() -> None:
    record = Record(state=State.SENDING)
    text = "is sending and in due and unclear, belongs in sending or unclear"
    assert misplacement(record, 0, CURSOR, [Place.UNCLEAR, Place.DUE]) == text
    assert misplacement(Record(state=State.FAILED), 0, CURSOR, [Place.DUE]) == "is failed and in due, belongs in none"
