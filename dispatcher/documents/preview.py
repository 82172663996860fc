"""Draws one page of a PDF as a fax: a task for a child process.

It writes a line of JSON, and after it the picture as PNG. Pages that do not exist, and PDFs that cannot be opened, have
an answer without a picture.
"""

import json
from typing import IO, Any

import pypdfium2_raw.bindings as pdfium  # the rest of pypdfium2 takes a third longer to start

from dispatcher.documents.fax_page import Method, Resolution
from dispatcher.documents.fax_picture import draw, in_black_and_white, layout_of, png, sending_seconds

#: PDFium keeps a pointer to it
_FORM_FILL = pdfium.FPDF_FORMFILLINFO(version=2)
_COMMENT = "Converted by bulkfax. The provider's own conversion is not public, so the fax can look a little different."


def run(source: IO[bytes], output: IO[bytes], page: str, resolution: str, method: str, timed: str = "") -> None:
    """Write a page, by its number, in a resolution and with a method, both by name; if ``timed``, with its seconds."""
    answer, picture = preview(source.read(), int(page), Resolution[resolution], Method[method], timed=bool(timed))
    output.write(json.dumps(answer).encode() + b"\n" + picture)


def preview(
    content: bytes, number: int, resolution: Resolution, method: Method, *, timed: bool
) -> tuple[dict[str, Any], bytes]:
    """Return the number of pages, and a page as PNG; empty if there is no such page or it cannot be drawn."""
    # PDFium ignores all calls but the first
    pdfium.FPDF_InitLibraryWithConfig(pdfium.FPDF_LIBRARY_CONFIG(version=2))
    document = pdfium.FPDF_LoadMemDocument64(content, len(content), None)
    if not document:
        return {"pages": 0}, b""
    form = _form(document)
    answer: dict[str, Any] = {"pages": pdfium.FPDF_GetPageCount(document)}
    page = pdfium.FPDF_LoadPage(document, number - 1)
    if not page:
        return answer, b""
    if form:
        pdfium.FORM_OnAfterLoadPage(page, form)
    picture = in_black_and_white(draw(page, form, layout_of(page, resolution)), method)
    if timed:
        answer["seconds"] = sending_seconds(picture)
    return answer, png(picture, resolution, _COMMENT)


def _form(document: Any) -> Any:
    """Return what draws the fields of a document's form; None if it has none. It comes before pages are loaded."""
    if pdfium.FPDF_GetFormType(document) == pdfium.FORMTYPE_NONE:
        return None
    return pdfium.FPDFDOC_InitFormFillEnvironment(document, _FORM_FILL) or None
