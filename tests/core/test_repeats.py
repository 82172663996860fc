"""How many recipients two lists share, from the sketches of their numbers."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.core.repeats import HASH_BYTES, Overlap, Sketch, pack_hashes

KEY = b"key"


def numbers(first: int, count: int) -> list[str]:
    return [f"+12025{line:09d}" for line in range(first, first + count)]


def sketch(first: int, count: int, kept: int = 1 << 20, key: bytes = KEY) -> Sketch:
    return Sketch(pack_hashes(numbers(first, count), key), kept)


@given(first=st.sets(st.integers(0, 300)), second=st.sets(st.integers(0, 300)), doubled=st.booleans(), salt=st.binary())
def test_short_lists_are_counted_exactly(first: set[int], second: set[int], doubled: bool, salt: bytes) -> None:
    key = salt[:64]
    left, right = (
        Sketch(pack_hashes([f"+1202555{line:04d}" for line in lines] * (1 + doubled), key)) for lines in (first, second)
    )
    expected = Overlap(shared=len(first & second), shorter=min(len(first), len(second)), exact=True)
    assert left.overlap(right) == right.overlap(left) == expected


@given(
    first=st.integers(500, 4000),
    second=st.integers(500, 4000),
    share=st.floats(0, 1),
    kept=st.integers(200, 1000),
    salt=st.integers(0, 1 << 32),
)
def test_the_estimate_of_long_lists_is_near(first: int, second: int, share: float, kept: int, salt: int) -> None:
    """Within six standard errors of a sample of that size, and never more than the shorter list has."""
    shared = round(share * min(first, second))
    key = str(salt).encode()
    overlap = sketch(0, first, kept, key).overlap(sketch(first - shared, second, kept, key))
    sampled = min(1.0, kept / max(first, second))
    error = 6 * (math.sqrt(shared * (1 - sampled) / sampled) + shared / math.sqrt(kept)) + 6 / sampled * (shared > 0)
    assert abs(overlap.shared - shared) <= error
    assert overlap.shared <= overlap.shorter


@given(first=st.integers(0, 3000), second=st.integers(0, 3000), kept=st.integers(10, 500))
def test_lists_without_a_shared_number_never_seem_to_have_one(first: int, second: int, kept: int) -> None:
    assert sketch(0, first, kept).overlap(sketch(first, second, kept)).shared == 0


@given(count=st.integers(0, 2000), kept=st.integers(10, 500))
def test_a_list_shares_everything_with_itself(count: int, kept: int) -> None:
    overlap = sketch(0, count, kept).overlap(sketch(0, count, kept))
    assert overlap.shared == pytest.approx(overlap.shorter, abs=1)


@given(count=st.integers(0, 2000), kept=st.integers(10, 500))
def test_a_stored_sketch_is_the_same_sketch(count: int, kept: int) -> None:
    first = sketch(0, count, kept)
    again = Sketch(first.packed, kept)
    assert (again.packed, again.full, again.numbers) == (first.packed, first.full, first.numbers)
    assert len(first.packed) == HASH_BYTES * min(count, kept)


def test_a_short_list_is_recognised_in_a_long_one() -> None:
    overlap = sketch(50_000, 50).overlap(sketch(0, 100_000, 65_536))
    assert overlap.repeats
    assert not overlap.exact


@given(count=st.integers(0, 2000), kept=st.integers(10, 500), pieces=st.lists(st.integers(0, 2000)))
def test_hashes_may_come_in_any_pieces(count: int, kept: int, pieces: list[int]) -> None:
    packed, whole = pack_hashes(numbers(0, count), KEY), Sketch(kept=kept)
    for first in sorted({0, *(piece * HASH_BYTES for piece in pieces)}):
        later = sorted(piece * HASH_BYTES for piece in pieces if piece * HASH_BYTES > first)
        whole.add(packed[first : later[0] if later else None])
    assert whole.packed == Sketch(packed, kept).packed


def test_a_damaged_end_is_left_out() -> None:
    assert len(Sketch(pack_hashes(numbers(0, 3), KEY)[:-1])) == 2


def test_hashes_depend_on_the_key_and_the_number_alone() -> None:
    assert pack_hashes(["+12025550100"], b"a") != pack_hashes(["+12025550100"], b"b")
    assert pack_hashes(numbers(0, 5), KEY)[HASH_BYTES:] == pack_hashes(numbers(1, 4), KEY)


@pytest.mark.parametrize(
    ("shared", "shorter", "repeats"),
    [
        (0, 0, False),
        (0, 1000, False),
        (1, 1, True),
        (1, 9, True),
        (1, 10, False),
        (2, 10, True),
        (19, 190, False),
        (20, 190, True),
        (20, 1_000_000, True),
        (19, 189, True),
    ],
)
def test_what_counts_as_a_repeat(shared: int, shorter: int, repeats: bool) -> None:
    assert Overlap(shared=shared, shorter=shorter, exact=True).repeats is repeats
