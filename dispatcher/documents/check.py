"""Checks whether a PDF can be faxed as it was meant: a task for a child process."""

import json
import re
import time
from io import BytesIO
from math import inf
from typing import IO, Any

import pikepdf

from dispatcher.documents.page_parts import PageParts
from dispatcher.documents.page_tree import PageEntry, ensure_no_other_page, ensure_size, has_fields, pages_of
from dispatcher.documents.refusals import CUT_OFF, DAMAGED, RefusedDocument

__all__ = ["run"]

#: bytes in which readers look for the header (ISO 32000-1, annex H.3.4)
_HEADER_WITHIN = 1024
#: seconds after the start in which pages are drawn. A scanned page takes up to 0.15 s, and some times as much on a
#: busy machine; the process has 9 s
_DRAWING_ENDS_S = 6.0
_END_MARK = b"%%EOF"
_OBJECT = re.compile(rb"(?:^|\s)\d{1,10} \d{1,5} obj\b")
_SECOND_PDF = re.compile(rb"%%EOF\s*%PDF-")


def run(source: IO[bytes], output: IO[bytes], max_pages: str, longest_sending_s: str) -> None:
    """Write the number of pages and the warnings, or the sentence of a refusal, as JSON."""
    try:
        until_s = time.monotonic() + _DRAWING_ENDS_S
        answer = check(source.read(), int(max_pages), float(longest_sending_s), until_s)
    except RefusedDocument as refused:
        answer = {"refusal": str(refused)}
    output.write(json.dumps(answer).encode())


def check(content: bytes, max_pages: int, longest_sending_s: float = inf, draw_until_s: float = inf) -> dict[str, Any]:
    """Return the number of pages, the warnings, and the least time of sending.

    Args:
        content: The PDF.
        max_pages: Number of pages that are not too many.
        longest_sending_s: Time of sending that needs no warning.
        draw_until_s: Time of the monotonic clock after which no further page is drawn; a warning names those left out.

    Raises:
        RefusedDocument: It cannot be faxed as it was meant.
    """
    _ensure_whole_file(content)
    with _opened(content) as pdf:
        pages = pages_of(pdf.Root, max_pages)
        _ensure_real_pages(pdf.Root, pages)
        parts = PageParts(pdf)
        for entry in pages:
            ensure_size(entry)
            parts.ensure_sound(entry)
        if parts.repeats_a_page:
            ensure_no_other_page(pdf, pages)
    from dispatcher.documents.drawing import draw_all  # a document that is refused by now is not drawn

    drawn = draw_all(content, len(pages), parts.with_drawn_pictures, longest_sending_s, draw_until_s)
    return {"pages": len(pages), **drawn}


def _ensure_whole_file(content: bytes) -> None:
    """Raise RefusedDocument for what is not a PDF from its header to its end. Bytes before and after do no harm."""
    if not content:
        raise RefusedDocument("the document is empty: was the file's path right?")
    if b"%PDF-" not in content[:_HEADER_WITHIN]:
        raise RefusedDocument("the document is not a PDF: export it as PDF first")
    end = content.rfind(_END_MARK)
    # objects after the last end mark are a change whose end is missing: without it, an earlier letter would be faxed
    if end < 0 or _OBJECT.search(content, end):
        raise RefusedDocument(CUT_OFF)
    if _SECOND_PDF.search(content):
        raise RefusedDocument("the document has two PDFs, one after the other: upload each of them")


def _opened(content: bytes) -> pikepdf.Pdf:
    try:
        return pikepdf.open(BytesIO(content))
    except pikepdf.PasswordError as error:
        raise RefusedDocument("the PDF needs a password to be opened: save it without a password") from error
    except pikepdf.PdfError as error:
        if "encryption" in str(error):
            raise RefusedDocument("the PDF is protected by a certificate: save it without protection") from error
        return _rebuilt(content)


def _rebuilt(content: bytes) -> pikepdf.Pdf:
    """Open a PDF whose table of objects is so faulty that only PDFium can build it anew."""
    from dispatcher.documents.drawing import saved_again

    try:
        return pikepdf.open(BytesIO(saved_again(content)))
    except pikepdf.PdfError as error:
        raise RefusedDocument(DAMAGED) from error


def _ensure_real_pages(root: Any, pages: list[PageEntry]) -> None:
    """Raise RefusedDocument if the pages only say that the letter is somewhere else in the file."""
    if "/Collection" in root:
        raise RefusedDocument("the PDF is a portfolio, and only its cover would be faxed: upload the files in it")
    form = root.get("/AcroForm")
    if not isinstance(form, pikepdf.Dictionary) or "/XFA" not in form:
        return
    # a form that other readers show as well has its fields on the pages
    if root.get("/NeedsRendering") is True or not any(has_fields(entry.page) for entry in pages):
        raise RefusedDocument(
            "the PDF is an XFA form, and only a placeholder would be faxed: print it to a PDF in Adobe Reader first"
        )
