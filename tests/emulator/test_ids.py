"""IDs in the format of the provider."""

from hypothesis import given
from hypothesis import strategies as st

from dispatcher.emulator.ids import Ulids

ALPHABET = set("0123456789ABCDEFGHJKMNPQRSTVWXYZ")


@given(st.lists(st.integers(0, 2**48 - 1), min_size=1, max_size=50))
def test_ids_are_ulids_that_never_repeat_and_sort_by_time(times: list[int]) -> None:
    ids = Ulids()
    created = [ids.new(now_ms) for now_ms in sorted(times)]
    assert created == sorted(set(created))
    assert all(len(ulid) == 26 and set(ulid) <= ALPHABET for ulid in created)


def test_the_time_is_in_the_first_ten_letters() -> None:
    # 01ARYZ6S41 is 1469918176385 ms in the ULID specification.
    assert Ulids().new(1469918176385).startswith("01ARYZ6S41")
