"""Walks over what is drawn on a page: texts, lines and areas, and pictures, with their places on the fax."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from math import ceil, hypot, isfinite
from typing import Any

import pypdfium2_raw.bindings as pdfium

from dispatcher.documents.fax_page import DOTS_ACROSS, PageLayout, Resolution

__all__ = ["Box", "Colour", "Item", "Kind", "Matrix", "items_on"]

#: objects of a page that are looked at. Maps and drawings have many more, and nothing in them is read one by one
_MAX_OBJECTS = 20_000
#: forms within forms that are entered
_DEEPEST = 15
_INVISIBLE = {pdfium.FPDF_TEXTRENDERMODE_INVISIBLE, pdfium.FPDF_TEXTRENDERMODE_CLIP}
_OUTLINED = {pdfium.FPDF_TEXTRENDERMODE_STROKE, pdfium.FPDF_TEXTRENDERMODE_STROKE_CLIP}

#: height of capital letters, and of the highest ones of any usual font with what hangs below, for type of size 1
_USUAL_HEIGHT, _HIGHEST_LETTER = 0.75, 1.5

Colour = tuple[int, int, int]
#: left, top, right, bottom in pixels
Box = tuple[int, int, int, int]


class Kind(Enum):
    TEXT = pdfium.FPDF_PAGEOBJ_TEXT
    FILLED = "filled"
    STROKED = "stroked"
    IMAGE = pdfium.FPDF_PAGEOBJ_IMAGE


@dataclass(frozen=True, slots=True)
class Matrix:
    """An affine map of the plane, as PDF writes it."""

    a: float = 1
    b: float = 0
    c: float = 0
    d: float = 1
    e: float = 0
    f: float = 0

    def then(self, other: Matrix) -> Matrix:
        """Return the map that applies this one first."""
        return Matrix(
            self.a * other.a + self.b * other.c,
            self.a * other.b + self.b * other.d,
            self.c * other.a + self.d * other.c,
            self.c * other.b + self.d * other.d,
            self.e * other.a + self.f * other.c + other.e,
            self.e * other.b + self.f * other.d + other.f,
        )

    def apply(self, x: float, y: float) -> tuple[float, float]:
        """Return where a point goes."""
        return self.a * x + self.c * y + self.e, self.b * x + self.d * y + self.f


@dataclass(frozen=True, slots=True)
class Item:
    """Something that is drawn on a page, in pixels of FINE."""

    kind: Kind
    #: PDFium's handle
    handle: Any
    box: Box
    #: None if it has no single colour
    colour: Colour | None
    #: of a text: size of its type on paper, in points
    size: float = 0.0


def items_on(page: Any, layout: PageLayout) -> Iterator[Item]:
    """Yield what is drawn on a page of PDFium, except annotations, in the order in which it is drawn."""
    to_pixels = _to_pixels(page, layout)
    #: containers to be entered: how many objects they have, how to get them, and the way from them to the page
    open_containers = [_page_objects(page)]
    places = [Matrix()]
    for _ in range(_MAX_OBJECTS):
        while open_containers and (handle := next(open_containers[-1], None)) is None:
            open_containers.pop()
            places.pop()
        if not open_containers:
            return
        kind = pdfium.FPDFPageObj_GetType(handle)
        if kind == pdfium.FPDF_PAGEOBJ_FORM and len(places) <= _DEEPEST:
            open_containers.append(_form_objects(handle))
            places.append(_matrix_of(handle).then(places[-1]))
        elif item := _item(handle, kind, places[-1], to_pixels, layout):
            yield item


def _page_objects(page: Any) -> Iterator[Any]:
    return (pdfium.FPDFPage_GetObject(page, index) for index in range(pdfium.FPDFPage_CountObjects(page)))


def _form_objects(form: Any) -> Iterator[Any]:
    return (pdfium.FPDFFormObj_GetObject(form, index) for index in range(pdfium.FPDFFormObj_CountObjects(form)))


def _to_pixels(page: Any, layout: PageLayout) -> Matrix:
    """Return the map from the page's coordinates to pixels, from where three of its points go."""
    far = 10_000

    def place(x: float, y: float) -> tuple[int, int]:
        across, down = ctypes.c_int(), ctypes.c_int()
        pdfium.FPDF_PageToDevice(
            page, layout.left, 0, layout.width, layout.height, int(layout.turned), x, y, across, down
        )
        return across.value, down.value

    (e, f), (right, right_down), (up_across, up) = place(0, 0), place(far, 0), place(0, far)
    return Matrix((right - e) / far, (right_down - f) / far, (up_across - e) / far, (up - f) / far, e, f)


def _matrix_of(handle: Any) -> Matrix:
    matrix = pdfium.FS_MATRIX()
    if not pdfium.FPDFPageObj_GetMatrix(handle, matrix):
        return Matrix()
    return Matrix(matrix.a, matrix.b, matrix.c, matrix.d, matrix.e, matrix.f)


def _item(handle: Any, kind: int, place: Matrix, to_pixels: Matrix, layout: PageLayout) -> Item | None:
    box = _box(handle, place.then(to_pixels), layout)
    if box is None:
        return None
    if kind == pdfium.FPDF_PAGEOBJ_TEXT:
        return _text(handle, box, place, layout)
    if kind == pdfium.FPDF_PAGEOBJ_PATH:
        return _path(handle, box)
    return Item(Kind.IMAGE, handle, box, None) if kind == pdfium.FPDF_PAGEOBJ_IMAGE else None


def _box(handle: Any, place: Matrix, layout: PageLayout) -> Box | None:
    """Return the part of the picture in which an object is; None if it is beside the page."""
    left, bottom, right, top = (ctypes.c_float() for _ in range(4))
    if not pdfium.FPDFPageObj_GetBounds(handle, left, bottom, right, top):
        return None
    corners = [place.apply(x.value, y.value) for x in (left, right) for y in (bottom, top)]
    across, down = [x for x, _ in corners], [y for _, y in corners]
    if not all(map(isfinite, across + down)):
        return None
    box = (
        max(int(min(across)), layout.left),
        max(int(min(down)), 0),
        min(ceil(max(across)) + 1, layout.left + layout.width),
        min(ceil(max(down)) + 1, layout.height),
    )
    return box if box[0] < box[2] and box[1] < box[3] else None


def _text(handle: Any, box: Box, place: Matrix, layout: PageLayout) -> Item | None:
    mode = pdfium.FPDFTextObj_GetTextRenderMode(handle)
    if mode in _INVISIBLE:  # such as the recognised text behind a scanned page
        return None
    size = ctypes.c_float()
    pdfium.FPDFTextObj_GetFontSize(handle, size)
    matrix = _matrix_of(handle).then(place)
    points = _believed(abs(size.value) * hypot(matrix.c, matrix.d) * layout.scale, box)
    colour_of = pdfium.FPDFPageObj_GetStrokeColor if mode in _OUTLINED else pdfium.FPDFPageObj_GetFillColor
    return Item(Kind.TEXT, handle, box, _colour(handle, colour_of), points)


def _believed(points: float, box: Box) -> float:
    """Return the size of type, unless its letters are much higher: fonts of drawings may call any size 1."""
    across, down = (box[2] - box[0]) / DOTS_ACROSS, (box[3] - box[1]) / Resolution.FINE.value
    height = min(across, down) * 72
    return height / _USUAL_HEIGHT if height > points * _HIGHEST_LETTER else points


def _path(handle: Any, box: Box) -> Item | None:
    fill, stroke = ctypes.c_int(), pdfium.FPDF_BOOL()
    pdfium.FPDFPath_GetDrawMode(handle, fill, stroke)
    if fill.value:
        return Item(Kind.FILLED, handle, box, _colour(handle, pdfium.FPDFPageObj_GetFillColor))
    if stroke.value:
        return Item(Kind.STROKED, handle, box, _colour(handle, pdfium.FPDFPageObj_GetStrokeColor))
    return None  # only clips what follows


def _colour(handle: Any, colour_of: Any) -> Colour | None:
    """Return the colour that an object has on white paper; None if it has several, or cannot be seen."""
    red, green, blue, alpha = (ctypes.c_uint() for _ in range(4))
    if not colour_of(handle, red, green, blue, alpha) or not alpha.value:
        return None
    paper = 255 - alpha.value
    mixed = [(part.value * alpha.value + 255 * paper) // 255 for part in (red, green, blue)]
    return mixed[0], mixed[1], mixed[2]
