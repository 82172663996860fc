"""Tests that the example letter and the example recipients are as the documentation describes them."""

import re
import runpy
import shutil
from collections import Counter
from functools import cache
from pathlib import Path

import pypdfium2 as pdfium
import pytest

from dispatcher.documents.check import check
from dispatcher.recipients.read_rows import RowReader
from dispatcher.recipients.rows import Slice

EXAMPLES = Path(__file__).parent.parent / "examples"

#: number ranges that regulators reserve for fiction: NANPA 555-01xx, Ofcom, Bundesnetzagentur, ARCEP, ACMA.
FICTIONAL = re.compile(
    r"\+1\d{3}55501\d{2}"
    r"|\+44(?:2079460\d{3}|1(?:1[3-8]|[2-6]1)4960\d{3}|1914980\d{3}|2896496\d{3}|2920180\d{3})"
    r"|\+49(?:3023125|6990009|4066969|2214710|8999998)\d{3}"
    r"|\+33(?:19900|26191|35301|46571|53649)\d{4}"
    r"|\+61[2378](?:5550|7010)\d{4}"
)


@cache
def slices() -> tuple[Slice, ...]:
    """The example recipients as the API reads them, without a default country."""
    return (RowReader("text/csv").read((EXAMPLES / "recipients.csv").read_bytes(), final=True),)


def test_each_of_the_thousand_rows_is_accepted_or_refused() -> None:
    accepted = [row.line for part in slices() for row in part.accepted]
    refused = [row.line for part in slices() for row in part.refused]
    assert sorted(accepted + refused) == list(range(2, 1002))


def test_there_are_948_distinct_numbers_and_twelve_of_them_twice() -> None:
    numbers = Counter(row.number for part in slices() for row in part.accepted)
    assert len(numbers) == 948
    assert sum(numbers.values()) - len(numbers) == 12


def test_forty_rows_are_refused_for_nine_reasons() -> None:
    assert Counter(str(row.reason) for part in slices() for row in part.refused) == {
        "extension": 9,
        "empty": 8,
        "impossible": 6,
        "not_a_number": 5,
        "damaged_by_spreadsheet": 3,
        "invalid": 3,
        "no_country": 3,
        "unknown_country": 2,
        "short_number": 1,
    }


def test_every_accepted_number_is_fictional() -> None:
    assert not [row.number for part in slices() for row in part.accepted if not FICTIONAL.fullmatch(row.number)]


def test_companies_and_contacts_are_kept_beside_the_number() -> None:
    rows = [row for part in slices() for row in part.accepted]
    assert all(row.reference.startswith("K-") and set(row.fields) == {"Company", "Contact"} for row in rows)
    companies = "\n".join(row.fields["Company"] for row in rows)
    assert all(sign in companies for sign in ("ü", "É", ";", '"'))


def test_the_file_has_a_byte_order_mark_and_windows_line_ends() -> None:
    data = (EXAMPLES / "recipients.csv").read_bytes()
    assert data.startswith(b"\xef\xbb\xbf")
    assert data.count(b"\r\n") == data.count(b"\n") == 1001


def test_the_letter_has_two_pages_of_text() -> None:
    with pdfium.PdfDocument(EXAMPLES / "letter.pdf") as document:
        texts = [page.get_textpage().get_text_bounded() for page in document]
    assert ["Page 1 of 2" in texts[0], "Page 2 of 2" in texts[1], len(texts)] == [True, True, 2]


def test_the_letter_is_taken_without_a_warning() -> None:
    checked = check((EXAMPLES / "letter.pdf").read_bytes(), 2)
    assert (checked["pages"], checked["warnings"]) == (2, [])


@pytest.mark.parametrize(
    ("script", "file"), [("make_letter.py", "letter.pdf"), ("make_recipients.py", "recipients.csv")]
)
def test_the_scripts_write_the_committed_files_byte_for_byte(script: str, file: str, tmp_path: Path) -> None:
    shutil.copy(EXAMPLES / script, tmp_path)
    runpy.run_path(str(tmp_path / script), run_name="__main__")
    assert (tmp_path / file).read_bytes() == (EXAMPLES / file).read_bytes()
