"""Documents from the field that went wrong once; all made up."""

from pathlib import Path

import pytest

from tests.documents.test_check import outcome

CASES = Path(__file__).parent / "field_cases"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("D01-encrypted-AES-256-owner-only.pdf", "2"),
        ("D02b-trailing-html.pdf", "2"),
        ("D04-xfa.pdf", "XFA"),
        ("D05-portfolio.pdf", "portfolio"),
        ("D20-middle-1500-bytes-missing.pdf", "damaged"),
        ("D20-read-as-UTF-8-text-errors-replaced.pdf", "damaged"),
    ],
)
def test_a_document_from_the_field(name: str, expected: str) -> None:
    assert expected in str(outcome((CASES / name).read_bytes()))
