"""Draws pages for tests: PDF operators, pictures and forms in a file of one page."""

import random
from collections.abc import Mapping
from io import BytesIO
from typing import Any

import pikepdf
from pikepdf import Array, Dictionary, Name, Pdf, Stream

A4 = (595.28, 841.89)
LETTER = (612.0, 792.0)
SENTENCE = "Please mark the date that suits you, sign, and fax the page back."


def text(words: str = SENTENCE, *, size: float = 11, x: float = 70, y: float = 700, colour: str = "0 g") -> str:
    """Return the operators that write a line."""
    return f"{colour} BT /F1 {size} Tf 1 0 0 1 {x} {y} Tm ({words}) Tj ET\n"


def lines(count: int = 20, *, size: float = 11, colour: str = "0 g") -> str:
    """Return the operators of a letter with so many lines."""
    return "".join(text(size=size, y=740 - 16 * line, colour=colour) for line in range(count))


def area(colour: str, x: float, y: float, width: float, height: float) -> str:
    """Return the operators that fill a rectangle."""
    return f"q {colour} rg {x} {y} {width} {height} re f Q\n"


def line(colour: str, x1: float, y1: float, x2: float, y2: float, width: float = 1) -> str:
    """Return the operators that draw a line."""
    return f"q {colour} RG {width} w {x1} {y1} m {x2} {y2} l S Q\n"


def placed(name: str, x: float, y: float, width: float, height: float) -> str:
    """Return the operators that draw a picture, or another object of one unit's size."""
    return f"q {width} 0 0 {height} {x} {y} cm /{name} Do Q\n"


def picture(pixels: bytes, width: int, space: str = "/DeviceGray", bits: int = 8) -> dict[str, Any]:
    """Return a picture for ``page``."""
    channels = 3 if space == "/DeviceRGB" else 1
    height = len(pixels) * 8 // (width * channels * bits)
    return {
        "Subtype": Name.Image,
        "Width": width,
        "Height": height,
        "ColorSpace": Name(space),
        "BitsPerComponent": bits,
        "data": pixels,
    }


def photo(
    darkest: int = 0, brightest: int = 255, width: int = 120, height: int = 90, grain: int = 20
) -> dict[str, Any]:
    """Return a picture whose tones go from left to right, with grain as photographs have."""
    chance = random.Random(1)
    tones = [darkest + (brightest - darkest) * x // width for x in range(width)]
    pixels = (max(0, min(255, tone + chance.randint(-grain, grain))) for _ in range(height) for tone in tones)
    return picture(bytes(pixels), width)


def form(
    content: str, matrix: tuple[float, ...] = (1, 0, 0, 1, 0, 0), box: tuple[float, ...] = (0, 0, 612, 842)
) -> Any:
    """Return a form for ``page``: operators that are drawn as one object."""
    return {"Subtype": Name.Form, "BBox": Array(box), "Matrix": Array(matrix), "data": content.encode("cp1252")}


def page(
    content: str,
    *,
    size: tuple[float, float] = A4,
    objects: Mapping[str, dict[str, Any]] | None = None,
    states: Mapping[str, Dictionary] | None = None,
    stamp: dict[str, Any] | None = None,
    **entries: Any,
) -> bytes:
    """Return a PDF with one page.

    Args:
        content: Its operators; the font is /F1.
        size: Width and height of its media box, in points.
        objects: Pictures and forms by the names under which operators use them.
        states: Graphics states by name.
        stamp: A form that is an annotation of the page, at its middle.
        entries: Further entries of the page, such as CropBox and Rotate.
    """
    with pikepdf.new() as pdf:
        resources = Dictionary(
            Font=Dictionary(F1=_font(), F3=_drawn_font(pdf)),
            ExtGState=Dictionary({f"/{name}": state for name, state in (states or {}).items()}),
        )
        resources.XObject = Dictionary()
        for name, entry in (objects or {}).items():
            resources.XObject[f"/{name}"] = _stream(pdf, entry, resources)
        box = Array([0, 0, *size])
        dictionary = Dictionary(Type=Name.Page, MediaBox=box, Resources=resources, **entries)
        if stamp:
            dictionary.Annots = Array([_annotation(pdf, _stream(pdf, stamp, resources))])
        dictionary.Contents = Stream(pdf, content.encode("cp1252"))
        pdf.pages.append(pikepdf.Page(pdf.make_indirect(dictionary)))
        file = BytesIO()
        pdf.save(file)
    return file.getvalue()


def together(*letters: bytes) -> bytes:
    """Return a PDF with the pages of all."""
    with pikepdf.new() as pdf:
        for letter in letters:
            with pikepdf.open(BytesIO(letter)) as part:
                pdf.pages.extend(part.pages)
        file = BytesIO()
        pdf.save(file)
    return file.getvalue()


def _font() -> Dictionary:
    return Dictionary(Type=Name.Font, Subtype=Name.Type1, BaseFont=Name.Helvetica, Encoding=Name.WinAnsiEncoding)


def _drawn_font(pdf: Pdf) -> Dictionary:
    """Return a font whose every letter is a block, drawn in units of points, as old programs of TeX make them."""
    block = Stream(pdf, b"10 0 0 0 8 7 d1 0 0 7 7 re f")
    return Dictionary(
        Type=Name.Font,
        Subtype=Name.Type3,
        FontBBox=Array([0, 0, 8, 8]),
        FontMatrix=Array([1, 0, 0, 1, 0, 0]),
        CharProcs=Dictionary(a=block),
        Encoding=Dictionary(Type=Name.Encoding, Differences=Array([97, Name("/a")])),
        FirstChar=97,
        LastChar=97,
        Widths=Array([10]),
        Resources=Dictionary(),
    )


def _annotation(pdf: Pdf, look: Stream) -> Any:
    box = Array([250, 400, 350, 420])
    return pdf.make_indirect(
        Dictionary(Type=Name.Annot, Subtype=Name.Stamp, Rect=box, F=4, AP=Dictionary(N=pdf.make_indirect(look)))
    )


def _stream(pdf: Pdf, entry: dict[str, Any], resources: Dictionary) -> Stream:
    entries = {name: value for name, value in entry.items() if name != "data"}
    stream = Stream(pdf, entry["data"], Dictionary(Type=Name.XObject, **entries))
    if entries["Subtype"] == Name.Form:
        stream.Resources = Dictionary(Font=resources.Font)
    return stream
