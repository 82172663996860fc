"""Documents: pages, conversion errors, merging, and invalid content."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.emulator.documents import MAX_FILE_BYTES, Documents
from tests.emulator.emulator_client import TWO_PAGES


@pytest.mark.parametrize(
    ("data", "file_type", "pages", "error"),
    [
        (TWO_PAGES, "PDF", 2, None),
        (b"no pdf", "PDF", 1, 133),
        (b"%PDF-1.7 /Type /Page /Type /Page cut off", "PDF", 2, None),
        (b"line\n" * 130, "TXT", 3, None),
        (b"picture", "PNG", 1, None),
        (b"<a/>", "XML", 1, 130),
        (b"program", "EXE", 1, 129),
    ],
)
def test_pages_and_conversion_error_follow_from_the_content(
    data: bytes, file_type: str, pages: int, error: int | None
) -> None:
    document = Documents().from_bytes(data, file_type)
    assert (document.pages, document.error_code) == (pages, error)


def test_the_same_content_is_kept_once() -> None:
    documents = Documents()
    text = base64.b64encode(TWO_PAGES).decode()
    assert documents.from_base64(text, "PDF") is documents.from_base64(text, "PDF")
    assert documents.from_base64(text, "PDF") is documents.from_bytes(TWO_PAGES, "PDF")


def test_parts_are_merged_into_one_pdf_and_a_single_pdf_stays_as_it_is() -> None:
    documents = Documents()
    letter, note = documents.from_bytes(TWO_PAGES, "PDF"), documents.from_bytes(b"note", "TXT")
    assert documents.merged([letter]) is letter
    merged = documents.merged([letter, note])
    assert merged.pages == 3
    assert documents.from_bytes(merged.data, "PDF").pages == 3
    assert documents.merged([letter, note]) is merged


def test_empty_and_too_large_files_are_refused() -> None:
    with pytest.raises(ValueError, match="is empty"):
        Documents().from_bytes(b"", "PDF")
    with pytest.raises(OverflowError, match="is larger than"):
        Documents().from_bytes(bytes(MAX_FILE_BYTES + 1), "PDF")
    with pytest.raises(ValueError, match="is not base64"):
        Documents().from_base64("###", "PDF")


@given(st.binary(max_size=300), st.integers(0, len(TWO_PAGES)), st.integers(0, len(TWO_PAGES)))
def test_no_bytes_break_reading_or_merging(noise: bytes, start: int, end: int) -> None:
    documents = Documents()
    damaged = documents.from_bytes(b"%PDF-1.4" + TWO_PAGES[:start] + noise + TWO_PAGES[end:], "PDF")
    note = documents.from_bytes(b"note", "TXT")
    assert documents.merged([damaged, note]).pages == damaged.pages + 1
