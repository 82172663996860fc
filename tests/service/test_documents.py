"""Documents, looked at before they are taken."""

import io

import pytest
from pypdf import PdfReader, PdfWriter

from dispatcher.service.documents import count_pages
from dispatcher.service.errors import Unreadable
from tests.service.samples import pdf


@pytest.mark.parametrize("pages", [1, 2, 40])
def test_the_pages_of_a_pdf_are_counted(pages: int) -> None:
    assert count_pages(pdf(pages)) == pages


def encrypted() -> bytes:
    writer, content = PdfWriter(PdfReader(io.BytesIO(pdf()))), io.BytesIO()
    writer.encrypt("secret", algorithm="RC4-128")
    writer.write(content)
    return content.getvalue()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "empty"),
        (b"PK\x03\x04", "not a PDF"),
        (b" " * 2000 + pdf(), "not a PDF"),
        (pdf()[:-100], "cut off"),
        (b"%PDF-1.7\n" + b"\xff" * 500 + b"%%EOF", "damaged"),
        (pdf().replace(b"/Kids", b"/Nope"), "no pages"),
        (encrypted(), "password"),
        (pdf(0), "no pages"),
    ],
    ids=["empty", "archive", "late header", "cut off", "noise", "no page tree", "encrypted", "no pages"],
)
def test_what_cannot_be_faxed_is_refused_with_a_sentence(content: bytes, sentence: str) -> None:
    with pytest.raises(Unreadable, match=sentence):
        count_pages(content)
