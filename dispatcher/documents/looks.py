"""Looks at the pages of a PDF as they will be on a fax, and collects what will look bad."""

from __future__ import annotations

import ctypes
from collections import Counter
from collections.abc import Iterator
from functools import partial
from typing import Any

import pypdfium2_raw.bindings as pdfium

from dispatcher.core.counted import counted
from dispatcher.documents.fax_page import Method, Resolution
from dispatcher.documents.fax_picture import Page, draw, in_black_and_white, layout_of, sending_seconds
from dispatcher.documents.look_warnings import (
    PagePicture,
    PageWarning,
    blank,
    dark,
    other_size,
    small_text,
    vanishing,
)
from dispatcher.documents.page_objects import Item, items_on

#: pages named for each kind of warning
_MAX_PAGES = 10
#: pages that are coded to know how long they take; of those after them, each stands for some others. Coding takes half
#: of the time of a page, and a document of 200 pages has ten seconds
_CODED_PAGES, _CODED_EVERY = 20, 10
#: texts that are longer, in UTF-16, are not counted letter by letter
_MAX_BYTES = 1000


class PageLooks:
    """What the pages of a document will look like, in FINE and with HALFTONE, which are the provider's defaults."""

    def __init__(self, longest_sending_s: float) -> None:
        self._longest_sending_s = longest_sending_s
        self._sending_s = self._latest_s = 0.0
        self._left_out = ""
        self._findings: list[tuple[int, PageWarning]] = []

    def page(self, page: Page, number: int) -> bool:
        """Look at a page of PDFium. Return whether anything on it is not white."""
        layout = layout_of(page, Resolution.FINE)
        grey = draw(page, page.formenv, layout)
        if number <= _CODED_PAGES or number % _CODED_EVERY == 0:
            self._latest_s = sending_seconds(in_black_and_white(grey, Method.HALFTONE))
        self._sending_s += self._latest_s
        picture = PagePicture(grey, layout, partial(draw, page, page.formenv, layout, in_colour=True))
        self._findings += [(number, finding) for finding in _findings(page, picture)]
        return picture.has_ink()

    def leave_out(self, first: int, last: int) -> None:
        """Note that nobody has looked at the last pages. They count as long as the one before them."""
        self._left_out = f"page {first}" if first == last else f"pages {first} to {last}"
        self._sending_s += (last - first + 1) * self._latest_s

    @property
    def sending_s(self) -> float:
        """The least time that all pages take to send; of long documents an estimate."""
        return self._sending_s

    def warnings(self) -> list[dict[str, Any]]:
        """Return the warnings by page, and those about the whole document with page 0."""
        counts = Counter[str]()
        warnings = []
        for number, finding in self._findings:
            counts[finding.code] += 1
            if counts[finding.code] <= _MAX_PAGES:
                warnings.append(_warning(finding.code, number, finding.sentence.format(page=number)))
        for code, count in counts.items():
            if (more := count - _MAX_PAGES) > 0:
                warnings.append(_warning(code, 0, f"The same is true of {counted(more, 'other page')}."))
        if self._left_out:
            sentence = f"There was no time to look at {self._left_out}: see the preview, or split the PDF."
            warnings.append(_warning("not_looked_at", 0, sentence))
        if self._sending_s > self._longest_sending_s:
            sentence = f"Sending takes {counted(round(self._sending_s / 60), 'minute')} or more for each recipient."
            warnings.append(_warning("long_sending", 0, sentence))
        return warnings


def _warning(code: str, page: int, sentence: str) -> dict[str, Any]:
    return {"code": code, "page": page, "sentence": sentence}


def _findings(page: Page, picture: PagePicture) -> Iterator[PageWarning]:
    width, height = pdfium.FPDF_GetPageWidthF(page), pdfium.FPDF_GetPageHeightF(page)
    if finding := other_size(width, height, picture.layout):
        yield finding
    if finding := blank(picture):
        yield finding
        return
    items = list(items_on(page, picture.layout))
    with _Letters(page) as letters:
        findings = (
            small_text(picture, items, letters),
            dark(picture, items),
            vanishing(picture, items, letters),
        )
    yield from (finding for finding in findings if finding)


class _Letters:
    """Counts the letters and digits of texts. PDFium reads the page's text for it, only when it is asked."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._text: Any = None
        self._characters = ctypes.POINTER(pdfium.FPDF_WCHAR)

    def __enter__(self) -> _Letters:
        return self

    def __exit__(self, *_: object) -> None:
        if self._text is not None:
            pdfium.FPDFText_ClosePage(self._text)

    def __call__(self, item: Item) -> int:
        if self._text is None:
            self._text = pdfium.FPDFText_LoadPage(self._page)
        size = pdfium.FPDFTextObj_GetText(item.handle, self._text, None, 0)
        if size > _MAX_BYTES:
            return _MAX_BYTES // 2
        text = ctypes.create_string_buffer(size)
        pdfium.FPDFTextObj_GetText(item.handle, self._text, ctypes.cast(text, self._characters), size)
        return sum(map(str.isalnum, text.raw.decode("utf-16-le", errors="replace")))
