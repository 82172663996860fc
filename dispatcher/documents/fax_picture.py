"""Draws a page with PDFium as it will look on a fax, and turns it into black and white.

This is our conversion. The provider's is not public, so the fax can look a little different.
"""

import ctypes
from io import BytesIO
from typing import Any, TypeAlias

import pypdfium2_raw.bindings as pdfium
from PIL import Image

from dispatcher.documents.fax_page import DOTS_ACROSS, LINE_PIXELS, Method, PageLayout, Resolution, lay_out

__all__ = ["Page", "draw", "in_black_and_white", "layout_of", "png", "sending_seconds"]

#: what pages of PDFium and forms are to Python: handles, or objects of pypdfium2 that stand for them
Page: TypeAlias = Any
Form: TypeAlias = Any

#: without grey edges: at this resolution they would only become dots around the letters
_FLAGS = (
    pdfium.FPDF_ANNOT
    | pdfium.FPDF_PRINTING
    | pdfium.FPDF_RENDER_NO_SMOOTHTEXT
    | pdfium.FPDF_RENDER_NO_SMOOTHPATH
    | pdfium.FPDF_RENDER_LIMITEDIMAGECACHE
)
_WHITE = 0xFFFFFFFF
#: grey that is not worth dots, so that paper and letters stay free of them
_NEARLY_BLACK, _NEARLY_WHITE = 24, 231
_IS_GREY = [255 if _NEARLY_BLACK < level < _NEARLY_WHITE else 0 for level in range(256)]
_CLEAR = [0 if level <= _NEARLY_BLACK else 255 if level >= _NEARLY_WHITE else level for level in range(256)]
#: the highest speed of nearly all fax machines (ITU-T V.17)
_BITS_PER_SECOND = 14_400
#: TIFF's tag for the sizes of the coded pieces
_STRIP_SIZES = 279


class _PngFile(BytesIO):
    #: by the name, Pillow loads what it needs for this format and not for all
    name = "page.png"


class _TiffFile(BytesIO):
    name = "page.tif"


def layout_of(page: Page, resolution: Resolution) -> PageLayout:
    """Return the layout of a page of PDFium."""
    return lay_out(pdfium.FPDF_GetPageWidthF(page), pdfium.FPDF_GetPageHeightF(page), resolution)


def draw(page: Page, form: Form, layout: PageLayout, *, in_colour: bool = False) -> Image.Image:
    """Draw a page in grey or in colour on white paper, with its annotations and its form's fields, if it has a form."""
    mode, raw, format_, depth = (
        ("RGB", "BGRX", pdfium.FPDFBitmap_BGRx, 4) if in_colour else ("L", "L", pdfium.FPDFBitmap_Gray, 1)
    )
    size = (LINE_PIXELS, layout.height)
    pixels = bytearray(size[0] * size[1] * depth)
    shared = (ctypes.c_char * len(pixels)).from_buffer(pixels)
    bitmap = pdfium.FPDFBitmap_CreateEx(*size, format_, shared, size[0] * depth)
    try:
        pdfium.FPDFBitmap_FillRect(bitmap, 0, 0, *size, _WHITE)
        flags = _FLAGS if in_colour else _FLAGS | pdfium.FPDF_GRAYSCALE
        place = (layout.left, 0, layout.width, layout.height, int(layout.turned), flags)
        pdfium.FPDF_RenderPageBitmap(bitmap, page, *place)
        if form is not None:
            pdfium.FPDF_FFLDraw(form, bitmap, page, *place)
    finally:
        pdfium.FPDFBitmap_Destroy(bitmap)
    return Image.frombuffer(mode, size, pixels, "raw", raw, 0, 1)


def in_black_and_white(grey: Image.Image, method: Method) -> Image.Image:
    """Return a picture with one bit per pixel."""
    picture = grey.convert("1", dither=Image.Dither.NONE)
    if method is Method.HALFTONE and (shaded := grey.point(_IS_GREY).getbbox()):
        dots = grey.crop(shaded).point(_CLEAR).convert("1", dither=Image.Dither.FLOYDSTEINBERG)
        picture.paste(dots, shaded)
    return picture


def png(picture: Image.Image, resolution: Resolution, comment: str) -> bytes:
    """Return a picture as PNG. It says how large a pixel is, as those of a fax are not square."""
    from PIL.PngImagePlugin import PngInfo

    texts = PngInfo()
    texts.add_text("Comment", comment)
    file = _PngFile()
    picture.save(file, dpi=(DOTS_ACROSS, resolution.value), pnginfo=texts, compress_level=2)
    return file.getvalue()


def sending_seconds(picture: Image.Image) -> float:
    """Return the least time that a page takes: coded as Group 4 (ITU-T T.6), at the highest usual speed."""
    from PIL import ImageChops
    from PIL.TiffImagePlugin import TiffImageFile

    file = _TiffFile()
    # Pillow writes black as 0, and the coder takes 1 for black
    ImageChops.invert(picture).save(file, compression="group4", strip_size=picture.width * picture.height)
    file.seek(0)
    return float(sum(TiffImageFile(file).tag_v2[_STRIP_SIZES])) * 8 / _BITS_PER_SECOND
