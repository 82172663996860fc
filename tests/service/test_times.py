"""Times and ids as people and machines read them."""

import re

from hypothesis import given
from hypothesis import strategies as st

from dispatcher.service.ids import batch_id
from dispatcher.service.times import rfc3339


def test_times_are_utc_with_milliseconds_and_none_is_empty() -> None:
    assert rfc3339(1_767_225_600_007) == "2026-01-01T00:00:00.007Z"
    assert rfc3339(1_767_225_600_000) == "2026-01-01T00:00:00.000Z"
    assert rfc3339(0) == ""


@given(st.integers(0, 2**48 - 2), st.integers(1, 10**6))
def test_ids_are_short_safe_in_keys_and_sort_by_age(at_ms: int, later_ms: int) -> None:
    older, newer = batch_id(at_ms), batch_id(min(at_ms + later_ms, 2**48 - 1))
    assert re.fullmatch("[0-9a-z]{26}", older)
    assert older < newer
    assert batch_id(at_ms) != older
