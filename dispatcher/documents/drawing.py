"""Draws the pages of a PDF with PDFium, and finds those that it cannot draw."""

import ctypes
import time
from collections.abc import Collection
from contextlib import closing
from io import BytesIO
from typing import Any

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c

from dispatcher.documents.looks import PageLooks
from dispatcher.documents.refusals import DAMAGED, RefusedDocument, damaged_page

#: forms within forms in which objects of a page are looked for
_MAX_DEPTH = 15
#: pages that are drawn however long it takes: even a busy machine has time for them, unless they were built to do harm
_ALWAYS_DRAWN = 10
#: colours of this value or lighter are white
_WHITE = 250
_TEXT, _IMAGE = pdfium_c.FPDF_PAGEOBJ_TEXT, pdfium_c.FPDF_PAGEOBJ_IMAGE
_FILLS_TEXT = {
    pdfium_c.FPDF_TEXTRENDERMODE_FILL,
    pdfium_c.FPDF_TEXTRENDERMODE_FILL_STROKE,
    pdfium_c.FPDF_TEXTRENDERMODE_FILL_CLIP,
    pdfium_c.FPDF_TEXTRENDERMODE_FILL_STROKE_CLIP,
}
_STROKES_TEXT = {
    pdfium_c.FPDF_TEXTRENDERMODE_STROKE,
    pdfium_c.FPDF_TEXTRENDERMODE_FILL_STROKE,
    pdfium_c.FPDF_TEXTRENDERMODE_STROKE_CLIP,
    pdfium_c.FPDF_TEXTRENDERMODE_FILL_STROKE_CLIP,
}


def draw_all(
    content: bytes, count: int, with_pictures: Collection[int], longest_sending_s: float, until_s: float
) -> dict[str, Any]:
    """Draw the pages for which there is time, and return what they look like and the least time of sending.

    Args:
        content: The PDF.
        count: Number of its pages as its page tree has them.
        with_pictures: Numbers of the pages whose pictures nobody has unpacked yet.
        longest_sending_s: Time of sending that needs no warning.
        until_s: Time of the monotonic clock after which no further page is drawn.

    Raises:
        RefusedDocument: A page cannot be drawn, or stays blank although it has content.
    """
    looks = PageLooks(longest_sending_s)
    with _opened(content) as document:
        if len(document) != count:
            raise RefusedDocument(DAMAGED)
        for number in range(1, count + 1):
            with closing(_page(document, number)) as page:
                if number in with_pictures:
                    _ensure_pictures(page, number)
                if not looks.page(page, number) and _has_content(page):
                    raise RefusedDocument(
                        f"page {number} of the PDF stays blank, although it has content: export the document again, "
                        "with its fonts embedded"
                    )
            if _ALWAYS_DRAWN <= number < count and time.monotonic() > until_s:
                looks.leave_out(number + 1, count)
                break
    return {"warnings": looks.warnings(), "sending_s": looks.sending_s}


def saved_again(content: bytes) -> bytes:
    """Return a PDF with a new table of its objects. Raises RefusedDocument if PDFium cannot find them."""
    saved = BytesIO()
    with _opened(content) as document:
        document.save(saved)
    return saved.getvalue()


def _opened(content: bytes) -> pdfium.PdfDocument:
    try:
        document = pdfium.PdfDocument(content)
        document.init_forms()  # for the contents of form fields
    except pdfium.PdfiumError as error:
        raise RefusedDocument(DAMAGED) from error
    return document


def _page(document: pdfium.PdfDocument, number: int) -> pdfium.PdfPage:
    try:
        return document[number - 1]
    except pdfium.PdfiumError as error:
        raise damaged_page(number, "the description") from error


def _ensure_pictures(page: pdfium.PdfPage, number: int) -> None:
    for picture in page.get_objects(filter=[_IMAGE], max_depth=_MAX_DEPTH):
        try:
            picture.get_bitmap().close()
        except pdfium.PdfiumError as error:
            raise damaged_page(number, "a picture") from error


def _has_content(page: pdfium.PdfPage) -> bool:
    """Return whether something should be seen on a page that stays blank."""
    text, box = page.get_textpage(), page.get_bbox()
    items = page.get_objects(filter=[_TEXT, _IMAGE], max_depth=_MAX_DEPTH, textpage=text)
    return any(_is_broken(item) if item.type == _IMAGE else _should_be_read(item, box) for item in items)


def _should_be_read(item: Any, box: tuple[float, float, float, float]) -> bool:
    mode = pdfium_c.FPDFTextObj_GetTextRenderMode(item)
    filled = mode in _FILLS_TEXT and _is_dark(item, pdfium_c.FPDFPageObj_GetFillColor)
    stroked = mode in _STROKES_TEXT and _is_dark(item, pdfium_c.FPDFPageObj_GetStrokeColor)
    return (filled or stroked) and _has_letters(item) and (item.level > 0 or _touches(item.get_bounds(), box))


def _touches(bounds: tuple[float, float, float, float], box: tuple[float, float, float, float]) -> bool:
    """Return whether two boxes overlap. Text beside the page is not seen."""
    return bounds[0] < box[2] and bounds[2] > box[0] and bounds[1] < box[3] and bounds[3] > box[1]


def _is_dark(item: Any, colour_of: Any) -> bool:
    red, green, blue, alpha = (ctypes.c_uint() for _ in range(4))
    if not colour_of(item, red, green, blue, alpha):
        return False
    return alpha.value > 0 and min(red.value, green.value, blue.value) < _WHITE


def _has_letters(text: Any) -> bool:
    try:
        return not text.extract().isspace()
    except pdfium.PdfiumError:
        return False


def _is_broken(picture: Any) -> bool:
    try:
        picture.get_bitmap().close()
    except pdfium.PdfiumError:
        return True
    return False
