"""Which stretch of the provider's list is read after a loss of writes, and when it counts."""

from dataclasses import dataclass

import pytest

from dispatcher.core.policy.policy import Policy
from dispatcher.core.recovery.slices import SLICE_MS, TimeSlice, next_slice, ready_ms, until_ms

POLICY = Policy()
NOTICED = 1_795_000_000_000
UNTIL = until_ms(NOTICED, POLICY)
SETTLING_MS = 300_000


@dataclass(frozen=True, kw_only=True)
class Progress:
    since: int = NOTICED - SLICE_MS
    listed: int = 0
    now: int = NOTICED


@pytest.mark.parametrize(
    ("progress", "expected"),
    [
        (Progress(), TimeSlice(from_ms=NOTICED - SLICE_MS, to_ms=NOTICED, counts=False)),
        (
            Progress(since=NOTICED - 3 * SLICE_MS),
            TimeSlice(from_ms=NOTICED - 3 * SLICE_MS, to_ms=NOTICED - 2 * SLICE_MS, counts=True),
        ),
        (
            Progress(since=NOTICED - 3 * SLICE_MS, listed=NOTICED - 2 * SLICE_MS),
            TimeSlice(from_ms=NOTICED - 2 * SLICE_MS, to_ms=NOTICED - SLICE_MS, counts=True),
        ),
        (Progress(now=NOTICED + SETTLING_MS - 1), TimeSlice(from_ms=NOTICED - SLICE_MS, to_ms=UNTIL, counts=False)),
        (Progress(now=NOTICED + SETTLING_MS), TimeSlice(from_ms=NOTICED - SLICE_MS, to_ms=NOTICED, counts=True)),
        (Progress(listed=NOTICED, now=NOTICED + SETTLING_MS), TimeSlice(from_ms=NOTICED, to_ms=UNTIL, counts=False)),
        (Progress(listed=NOTICED, now=UNTIL + SETTLING_MS), TimeSlice(from_ms=NOTICED, to_ms=UNTIL, counts=True)),
        (Progress(listed=UNTIL, now=UNTIL), None),
        (Progress(since=UNTIL + 5, now=NOTICED), None),
    ],
)
def test_the_next_slice(progress: Progress, expected: TimeSlice | None) -> None:
    time_slice = next_slice(
        since_ms=progress.since, listed_ms=progress.listed, noticed_ms=NOTICED, now_ms=progress.now, policy=POLICY
    )
    assert time_slice == expected


def test_it_ends_with_the_last_send_that_was_begun_before() -> None:
    """A second ahead, the send window, and a whole POST; and then the search period."""
    assert UNTIL - NOTICED == 1_000 + 250 + 20_000
    assert ready_ms(NOTICED, POLICY) - UNTIL == SETTLING_MS


def test_the_slices_of_a_day_follow_each_other_without_a_gap() -> None:
    since, listed, now = NOTICED - 86_400_000, 0, UNTIL + SETTLING_MS
    ends = [since]
    while piece := next_slice(since_ms=since, listed_ms=listed, noticed_ms=NOTICED, now_ms=now, policy=POLICY):
        assert piece.counts
        assert piece.from_ms == ends[-1] < piece.to_ms
        ends.append(listed := piece.to_ms)
    assert ends[-1] == UNTIL
