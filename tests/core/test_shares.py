"""Who is served next, as claim asks these functions."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.core.limits.shares import QUANTUM, STRIDE
from dispatcher.core.reference.fairness import advance, join, split

FLOOR = 0.1
COUNTS = st.integers(min_value=0, max_value=200)
WEIGHTS = st.lists(st.integers(min_value=1, max_value=10), min_size=1, max_size=6)


def serve(weights: list[int], times: int) -> tuple[list[int], list[int]]:
    """Jobs that each of several batches with endless work gets, and the longest that each waited, in turns."""
    virtual, served = [0.0] * len(weights), [0] * len(weights)
    last, longest = [0] * len(weights), [0] * len(weights)
    for turn in range(times):
        next_one = virtual.index(min(virtual))
        virtual[next_one] = advance(virtual[next_one], QUANTUM, weights[next_one])
        served[next_one] += QUANTUM
        longest[next_one] = max(longest[next_one], turn - last[next_one])
        last[next_one] = turn
    return served, longest


def test_weights_of_one_and_three_share_one_to_three() -> None:
    served, _ = serve([1, 3], 400)
    assert served == [100 * QUANTUM, 300 * QUANTUM]


@given(WEIGHTS)
def test_batches_share_by_their_weights(weights: list[int]) -> None:
    """Each is within one quantum for each batch of its exact share."""
    served, _ = serve(weights, 600)
    for weight, jobs in zip(weights, served, strict=True):
        assert abs(jobs - 600 * QUANTUM * weight / sum(weights)) <= QUANTUM * len(weights)


@given(WEIGHTS)
def test_no_batch_starves(weights: list[int]) -> None:
    """None waits longer than its share of the turns explains, and one round more."""
    _, longest = serve(weights, 600)
    for weight, waited in zip(weights, longest, strict=True):
        assert waited <= math.ceil(sum(weights) / weight) + len(weights)


def test_a_job_moves_the_virtual_time_on_by_the_stride_over_the_weight() -> None:
    assert advance(500.0, 4, 2) == 500 + 4 * STRIDE / 2


@pytest.mark.parametrize(("own", "minimum", "joins"), [(0.0, None, 0.0), (7.0, 900.0, 900.0), (950.0, 900.0, 950.0)])
def test_a_batch_that_becomes_active_neither_gains_nor_owes_the_time_it_was_away(
    own: float, minimum: float | None, joins: float
) -> None:
    assert join(own, minimum) == joins


@pytest.mark.parametrize(
    ("room", "fresh", "due", "credit", "expected"),
    [
        (8, 100, 0, 0.7, (8, 0, 0.0)),
        (8, 0, 100, 0.7, (0, 8, 0.0)),
        (8, 0, 0, 0.7, (0, 0, 0.0)),
        (8, 3, 0, 0.0, (3, 0, 0.0)),
        (8, 100, 100, 0.0, (8, 0, 0.8)),
        (8, 100, 100, 0.8, (7, 1, 0.6)),
        (8, 3, 100, 0.0, (3, 5, 0.8)),
        (8, 3, 2, 0.0, (3, 2, 0.8)),
        (1, 100, 100, 5.0, (0, 1, 4.1)),
        (0, 100, 100, 0.5, (0, 0, 0.5)),
    ],
)
def test_a_first_pass_comes_before_retries_but_for_their_floor(
    room: int, fresh: int, due: int, credit: float, expected: tuple[int, int, float]
) -> None:
    first, retries, left = split(room, fresh, due, credit, FLOOR)
    assert (first, retries) == expected[:2]
    assert left == pytest.approx(expected[2])


@given(COUNTS, COUNTS, COUNTS, st.floats(0, 50), st.floats(0, 1))
def test_no_room_is_left_while_there_is_work(room: int, fresh: int, due: int, credit: float, floor: float) -> None:
    """Nothing is served that is not there, and credit is never negative."""
    first, retries, left = split(room, fresh, due, credit, floor)
    assert first + retries == min(room, fresh + due)
    assert 0 <= first <= fresh
    assert 0 <= retries <= due
    assert left >= 0


@given(st.lists(st.integers(1, 32), min_size=1, max_size=200), st.sampled_from([0.05, 0.1, 0.25, 0.5]))
def test_retries_keep_their_floor_while_a_first_pass_runs(rooms: list[int], floor: float) -> None:
    """At every moment they have had the floor of all that was served, rounded down, and not more than that."""
    credit, served, retried = 0.0, 0, 0
    for room in rooms:
        first, retries, credit = split(room, 10**6, 10**6, credit, floor)
        served, retried = served + first + retries, retried + retries
        assert abs(retried - served * floor) < 1.001
