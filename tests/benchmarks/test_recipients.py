"""Tests of the generated recipients."""

from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.recipients import BAD_EVERY, CHECKSUMS, MAX_ROWS, bad_rows, raw_rows, rows, write_csv, write_ndjson
from dispatcher.recipients.numbers import AcceptedNumber, normalize_number


@pytest.mark.parametrize(("form", "write"), [("csv", write_csv), ("ndjson", write_ndjson)])
def test_the_lists_are_the_ones_that_were_measured(
    form: str, write: Callable[[Path, int], str], tmp_path: Path
) -> None:
    assert write(tmp_path / "list", 10_000) == CHECKSUMS[form, 10_000]


def test_every_number_is_valid_and_there_once_but_for_the_bad_ones() -> None:
    numbers = [row.number for row in rows(5000)]
    valid = [number for number in numbers if isinstance(normalize_number(number), AcceptedNumber)]
    assert len(set(valid)) == len(valid) == 5000 - bad_rows(5000)
    assert bad_rows(5000) == 5000 // BAD_EVERY


def test_raw_rows_name_the_same_recipients_in_another_form() -> None:
    good = [(row.number, raw) for row, raw in zip(rows(900), raw_rows(900), strict=True)]
    for number, (written, country) in good:
        result = normalize_number(written, country)
        assert isinstance(result, AcceptedNumber)
        assert result.number == number


def test_there_are_numbers_for_a_million_and_more() -> None:
    assert MAX_ROWS > 1_050_000
