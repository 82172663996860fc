"""Numbers of 40 countries are taken in six notations and dialled as they are meant; two in a cell are never dialled."""

import pytest

from benchmarks.notations import COUNTRIES, NOTATIONS, pairs, written
from benchmarks.numbers import read

COUNT = 100


@pytest.mark.parametrize("notation", NOTATIONS)
def test_valid_numbers_are_taken_and_dialled_as_they_are_meant(notation: str) -> None:
    rows = list(written(notation, COUNT))
    taken, different = read(rows)
    assert len(rows) == COUNT * len(COUNTRIES)
    assert different == 0
    # The forms with the prefix of national calls may mean more than one number more often.
    assert taken / len(rows) >= (0.99 if notation.startswith("national") else 0.995)


def test_a_cell_with_two_numbers_is_never_dialled() -> None:
    assert read(list(pairs(COUNT))) == (0, 0)
