"""The demo's list: the example, cut or made longer with numbers that never ring."""

import csv
from itertools import islice
from pathlib import Path

import pytest

from dispatcher.cli.demo_list import write_list
from dispatcher.cli.output import CommandFailed
from dispatcher.local.fictional_numbers import fictional_numbers
from dispatcher.recipients.numbers import AcceptedNumber, normalize_number

EXAMPLE = b"\xef\xbb\xbfCustomer,Fax,Country\r\nC1,(202) 555-0101,US\r\nC2,+441614960102,GB\r\nC3,,US\r\n"


@pytest.fixture
def example(tmp_path: Path) -> Path:
    path = tmp_path / "example.csv"
    path.write_bytes(EXAMPLE)
    return path


def test_without_a_number_of_rows_the_example_goes_out_as_it_is(example: Path, tmp_path: Path) -> None:
    assert write_list(example, tmp_path / "list.csv", None) == 3
    assert (tmp_path / "list.csv").read_bytes() == EXAMPLE


def test_fewer_rows_are_the_first_ones(example: Path, tmp_path: Path) -> None:
    assert write_list(example, tmp_path / "list.csv", 1) == 1
    assert (tmp_path / "list.csv").read_bytes() == EXAMPLE.split(b"C2")[0]


def test_more_rows_are_made_up_in_the_columns_of_the_example_each_with_a_number_of_its_own(
    example: Path, tmp_path: Path
) -> None:
    assert write_list(example, tmp_path / "list.csv", 500) == 500
    rows = list(csv.DictReader((tmp_path / "list.csv").read_text("utf-8-sig").splitlines()))
    made_up = [row["Fax"] for row in rows[3:]]
    assert len(rows) == 500
    assert len(set(made_up)) == 497
    assert "+441614960102" not in made_up
    assert rows[-1]["Customer"] == "R500"


def test_made_up_rows_use_the_delimiter_of_the_example(example: Path, tmp_path: Path) -> None:
    example.write_bytes(EXAMPLE.replace(b",", b";"))
    write_list(example, tmp_path / "list.csv", 4)
    assert (tmp_path / "list.csv").read_bytes().splitlines()[-1] == b"R4;+12025550100;"


def test_more_rows_than_there_are_fictional_numbers_is_an_error(example: Path, tmp_path: Path) -> None:
    with pytest.raises(CommandFailed, match="ask for no more rows"):
        write_list(example, tmp_path / "list.csv", 10_000_000)


def test_an_example_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CommandFailed, match=r"no\.csv cannot be read"):
        write_list(tmp_path / "no.csv", tmp_path / "list.csv", None)


def test_fictional_numbers_come_once_and_are_accepted_by_the_reader() -> None:
    numbers = list(fictional_numbers())
    assert len(numbers) == len(set(numbers))
    for number in islice(numbers, 0, None, 97):
        assert isinstance(normalize_number(number, "US"), AcceptedNumber), number
