"""Options of ``bulkfax send`` about the columns of the list, and its dry run."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Bulkfax


@pytest.fixture
def letter(repository: Path) -> Path:
    return repository / "examples" / "letter.pdf"


def write(folder: Path, text: str, name: str = "list.csv") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_the_command_names_the_columns_that_were_used(connected: Bulkfax, letter: Path, tmp_path: Path) -> None:
    path = write(tmp_path, "Company,Phone,Work Fax\nACME,202-555-0100,202-555-0193\n")
    ran = connected("send", letter, path, "--country", "us", "--draft")
    assert ran.status == 0, ran.err
    assert 'number: "Work Fax"; country: none, US assumed for 1 row' in ran.err


def test_a_list_that_is_not_clear_is_refused_with_the_option_to_type(
    connected: Bulkfax, letter: Path, tmp_path: Path
) -> None:
    path = write(tmp_path, "Business Fax,Home Fax,Sperre\n202-555-0100,202-555-0193,x\n")
    ran = connected("send", letter, path, "--draft")
    assert ran.status != 0
    assert "--number-column 'Business Fax'" in " ".join(ran.err.split())
    words = ("--number-column", "Home Fax", "--opt-out-column", "Sperre", "--reference-column", "Business Fax")
    ran = connected("send", letter, path, *words, "--dry-run", "--json")
    assert ran.status == 0, ran.err
    tried = json.loads(ran.out)
    assert (tried["accepted"], tried["refused_sample"][0]["reason"]) == (0, "opted_out")


def test_a_dry_run_shows_rows_and_creates_no_batch(connected: Bulkfax, letter: Path, tmp_path: Path) -> None:
    path = write(tmp_path, "Fax|Vorwahl|Land|Nr\n23125123|030|DE|7\nx|||8\n", "list.txt")
    before = connected("batches", "list", "--json").out
    ran = connected("send", letter, path, "--dry-run")
    assert ran.status == 0, ran.err
    assert "+493023125123" in ran.out
    assert 'number: "Fax"; country: "Land"; area code: "Vorwahl"' in ran.out
    assert "1 of 2 lines would be dialled; nothing was stored" in ran.out
    assert connected("batches", "list", "--json").out == before


def test_lines_that_opted_out_are_counted_with_the_refused_ones_that_are_shown(
    connected: Bulkfax, letter: Path, tmp_path: Path
) -> None:
    path = write(tmp_path, "Fax,Do Not Fax\n202-555-0143,yes\nx,no\n202-555-0145,no\n")
    ran = connected("send", letter, path, "--dry-run")
    assert ran.status == 0, ran.err
    assert "2 lines not sent to, the first 2" in ran.out
