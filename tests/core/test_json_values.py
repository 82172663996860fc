"""Decoded JSON is measured in one walk: its levels, and the values in all of them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.core.json_values import Excess, excess_of

VALUES = st.recursive(
    st.none() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=30,
)


def levels_of(value: object) -> int:
    items = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if items is None else 1 + max(map(levels_of, items), default=0)


def values_of(value: object) -> int:
    items = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    return len(items) + sum(map(values_of, items))


@given(value=VALUES, max_levels=st.integers(1, 6), max_values=st.integers(0, 30))
def test_what_a_value_has_too_many_of_is_said(value: object, max_levels: int, max_values: int) -> None:
    too_deep, too_many = levels_of(value) > max_levels, values_of(value) > max_values
    expected = {Excess.LEVELS} if too_deep else set()
    expected |= {Excess.VALUES} if too_many else set()
    excess = excess_of(value, max_levels=max_levels, max_values=max_values)
    assert excess in expected if expected else excess is None


@pytest.mark.parametrize(("depth", "excess"), [(16, None), (17, Excess.LEVELS), (900, Excess.LEVELS)])
def test_levels_are_exact_and_no_depth_is_too_much(depth: int, excess: Excess | None) -> None:
    assert excess_of(json.loads("[" * depth + "]" * depth), max_levels=16) is excess
