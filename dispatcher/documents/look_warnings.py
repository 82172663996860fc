"""What on a page will look bad on a fax. All of it is decided from the page's picture and the list of what is on it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from PIL import Image

from dispatcher.documents.fax_page import LINE_PIXELS, PageLayout
from dispatcher.documents.page_objects import Box, Colour, Item, Kind

__all__ = ["PagePicture", "PageWarning", "blank", "dark", "other_size", "small_text", "vanishing"]

#: counts the letters and digits of a text
Letters = Callable[[Item], int]

#: type below this size, in points, is hard to read. Fonts of TeX have 7.97 points where they say 8
_SMALLEST_POINTS = 7.9
#: letters in a row, and on a page, that make a text: less are marks such as 1), (R) and 2nd
_LETTERS_IN_A_ROW, _LETTERS_ON_PAGE = 4, 20

#: A4 and Letter in points, and how far a page may be from them: 3 mm
_USUAL_SIZES = ((595.28, 841.89), (612, 792))
_SIZE_TOLERANCE = 8.5
_MM = 25.4 / 72

#: edge of a cell in pixels: 2 mm. Lines and letters fill no cell, areas do
_CELL = 16
#: grey below this becomes dots close together, and a cell is dark in which 14 of 16 parts are (of 255)
_DARK_GREY, _DARK_CELL = 208, 223
#: share of a page that may be dark: a logo, a heading of a table, a narrow band
_DARK_SHARE, _PHOTO_SHARE = 0.08, 0.04

#: how much darker than paper a cell is with ink in it: more than some specks, less than a thin line or a full stop
_INK_DIFFERENCE = 10
#: edge of the parts of a cell
_PART = 4

#: the limit between black and white
_MIDDLE = 128
#: difference of colours, in one of their parts, that people see; and that two shades of the same colour have
_SEEN, _SAME = 40, 12
#: difference between the parts of a colour that is more than grey. Grey lines and areas are there for looks
_COLOURFUL = 96
#: colours of an area that are counted; what has more is a photograph
_MAX_COLOURS = 256
#: what may vanish: a share of the page, pixels of lines (50 mm), a picture of 1 cm²
_VANISHING_AREA, _VANISHING_LINES, _SMALLEST_PICTURE = 0.005, 400, 6_400
#: share of an area that may be on the other side of the limit
_OTHER_SIDE = 0.02
#: pixels around an area that show on what it lies
_MARGIN = 4


@dataclass(frozen=True, slots=True)
class PageWarning:
    """A warning about a page: its code, and the sentence, in which {page} stands for the page's number."""

    code: str
    sentence: str


class PagePicture:
    """A page in fax resolution, with what is derived from it."""

    def __init__(self, grey: Image.Image, layout: PageLayout, draw_in_colour: Callable[[], Image.Image]) -> None:
        self.grey = grey
        self.layout = layout
        self._draw_in_colour = draw_in_colour
        self.parts = grey.reduce(_PART)
        self.cells = self.parts.point(_IS_DARK).reduce(_CELL // _PART)

    @cached_property
    def colours(self) -> Image.Image:
        """The page in colour. Most pages are judged without it, which takes a third of the time."""
        return self._draw_in_colour()

    @property
    def area(self) -> int:
        """Pixels of the page itself."""
        return self.layout.width * self.layout.height

    def has_ink(self) -> bool:
        """Return whether anything at all is not white."""
        return any(low < 255 for low, _ in _ranges(self.grey))

    def colours_in(self, box: Box, margin: int = 0) -> list[tuple[int, Colour]]:
        """Return how often each colour occurs in a box; nothing if there are as many as in a photograph."""
        left, top = max(box[0] - margin, 0), max(box[1] - margin, 0)
        right, bottom = min(box[2] + margin, LINE_PIXELS), min(box[3] + margin, self.layout.height)
        part = self.colours.crop((left, top, right, bottom))
        return part.getcolors(_MAX_COLOURS) or []  # type: ignore[return-value]

    def is_dark_at(self, box: Box) -> bool:
        """Return whether an object lies on a dark area."""
        across, down = (box[0] + box[2]) // 2 // _CELL, (box[1] + box[3]) // 2 // _CELL
        return self.cells.getpixel((across, down)) >= _DARK_CELL  # type: ignore[operator]


_IS_DARK = [255 if level < _DARK_GREY else 0 for level in range(256)]


def _ranges(picture: Image.Image) -> list[tuple[int, int]]:
    """Return the least and the greatest value of each part of the colours."""
    ranges = picture.getextrema()
    return list(ranges) if isinstance(ranges[0], tuple) else [ranges]  # type: ignore[list-item]


def blank(picture: PagePicture) -> PageWarning | None:
    """Warn of a page with nothing but paper on it, which may be scanned and have specks."""
    # light colours are seen in colour only
    if _is_paper(picture.parts) and _is_paper(picture.colours.reduce(_PART)):
        return PageWarning("blank_page", "Page {page} is blank.")
    return None


def _is_paper(parts: Image.Image) -> bool:
    cells = parts.reduce(_CELL // _PART)
    paper = [_median(band.histogram()) for band in cells.split()]
    inked = any(level - low > _INK_DIFFERENCE for level, (low, _) in zip(paper, _ranges(cells), strict=True))
    return min(paper) >= _MIDDLE and not inked


def _median(histogram: Sequence[int]) -> int:
    half, seen = sum(histogram) / 2, 0
    for level, count in enumerate(histogram):
        seen += count
        if seen >= half:
            return level
    return 255


def other_size(width: float, height: float, layout: PageLayout) -> PageWarning | None:
    """Warn of a page, with its size in points, that is neither A4 nor Letter."""
    edges = sorted((width, height))
    for usual in _USUAL_SIZES:
        if all(abs(edge - other) <= _SIZE_TOLERANCE for edge, other in zip(edges, usual, strict=True)):
            return None
    what = f"is shrunk to {layout.scale:.0%}" if layout.scale < 0.99 else "may come out with white borders or be cut"
    size = f"{width * _MM:.0f} x {height * _MM:.0f} mm"
    return PageWarning("page_size", f"Page {{page}} has {size}, neither A4 nor Letter: it {what}.")


def dark(picture: PagePicture, items: Iterable[Item]) -> PageWarning | None:
    """Warn of photographs and other large dark areas."""
    cell = _CELL * _CELL
    photos = sum(_dark_cells(picture.cells.crop(_in_cells(item.box))) for item in items if item.kind is Kind.IMAGE)
    if (share := photos * cell / picture.area) >= _PHOTO_SHARE:
        return PageWarning(
            "photograph",
            f"A photograph or dark picture covers {min(share, 1):.0%} of page {{page}}: it comes out as dots and takes "
            "long to send.",
        )
    if (share := _dark_cells(picture.cells) * cell / picture.area) >= _DARK_SHARE:
        return PageWarning(
            "dark_area",
            f"{min(share, 1):.0%} of page {{page}} is dark: it takes long to send, and text on it can be unreadable.",
        )
    return None


def _dark_cells(cells: Image.Image) -> int:
    return sum(cells.histogram()[_DARK_CELL:])


def _in_cells(box: Box) -> Box:
    left, top, right, bottom = (round(edge / _CELL) for edge in box)
    return left, top, max(left, right), max(top, bottom)


def small_text(picture: PagePicture, items: Iterable[Item], letters: Letters) -> PageWarning | None:
    """Warn of type that is too small on paper."""
    small = [
        item for item in items if item.kind is Kind.TEXT and item.size < _SMALLEST_POINTS and _is_seen(picture, item)
    ]
    if not _is_text(small, letters):
        return None
    size = min(item.size for item in small)
    return PageWarning(
        "small_text", f"Page {{page}} has text of {size:.1f} points: below 8 it is hard to read on a fax."
    )


def _is_seen(picture: PagePicture, item: Item) -> bool:
    """Return whether a text can be seen, and is not white on white, such as marks for machines."""
    colours = picture.colours_in(item.box)
    return not colours or _under(item.colour, colours) is not None


def _is_text(items: Iterable[Item], letters: Letters) -> bool:
    on_page = 0
    for item in items:
        in_a_row = letters(item)
        on_page += in_a_row
        if in_a_row >= _LETTERS_IN_A_ROW or on_page >= _LETTERS_ON_PAGE:
            return True
    return False


def vanishing(picture: PagePicture, items: Sequence[Item], letters: Letters) -> PageWarning | None:
    """Warn of what can be seen in colour, and not in black and white."""
    if _is_text(texts := [item for item in items if item.kind is Kind.TEXT and _text_vanishes(picture, item)], letters):
        what = f"text in the colour {_hex(texts[0].colour)}"
    elif areas := _vanishing_areas(picture, items):
        what = f"an area in the colour {_hex(areas[0].colour)}"
    elif lines := _vanishing_lines(picture, items):
        what = f"a line in the colour {_hex(lines[0].colour)}"
    elif any(item.kind is Kind.IMAGE and _image_vanishes(picture, item.box) for item in items):
        what = "a picture in light colours"
    else:
        return None
    return PageWarning("vanishing_colour", f"On page {{page}}, {what} is hard to see or vanishes in black and white.")


def _text_vanishes(picture: PagePicture, item: Item) -> bool:
    if item.colour is None or (not _is_white(item.colour) and not picture.is_dark_at(item.box)):
        return False
    under = _under(item.colour, picture.colours_in(item.box))
    return under is not None and _is_white(under) == _is_white(item.colour)


def _vanishing_areas(picture: PagePicture, items: Iterable[Item]) -> list[Item]:
    areas, pixels = [], 0
    for item in items:
        if item.kind is Kind.FILLED and _is_colourful(item.colour):
            colours = picture.colours_in(item.box, margin=_MARGIN)
            under = _under(item.colour, colours)
            if under and _is_white(under) == _is_white(item.colour) and _on_one_side(colours):
                areas.append(item)
                pixels += sum(count for count, colour in colours if _is_same(colour, item.colour))
    return areas if pixels >= _VANISHING_AREA * picture.area else []


def _vanishing_lines(picture: PagePicture, items: Iterable[Item]) -> list[Item]:
    lines = []
    for item in items:
        if item.kind is Kind.STROKED and _is_colourful(item.colour):
            under = _under(item.colour, picture.colours_in(item.box, margin=_MARGIN))
            if under and _is_white(under) == _is_white(item.colour):
                lines.append(item)
    length = sum(max(item.box[2] - item.box[0], item.box[3] - item.box[1]) for item in lines)
    return lines if length >= _VANISHING_LINES else []


def _image_vanishes(picture: PagePicture, box: Box) -> bool:
    pixels = (box[2] - box[0]) * (box[3] - box[1])
    if pixels < _SMALLEST_PICTURE:
        return False
    levels = picture.grey.crop(box).histogram()
    black = sum(levels[:_MIDDLE])
    if min(black, pixels - black) > _OTHER_SIDE * pixels:
        return False
    small = picture.colours.crop(box).reduce(_PART)
    return any(high - low >= 2 * _SEEN for low, high in _ranges(small))


def _under(colour: Colour | None, colours: Sequence[tuple[int, Colour]]) -> Colour | None:
    """Return the most frequent colour on which something in ``colour`` is seen; None if it is not seen."""
    if colour is None or not any(_is_same(other, colour) for _, other in colours):
        return None
    others = [entry for entry in colours if not _is_same(entry[1], colour)]
    under = max(others)[1] if others else colour
    return under if _difference(colour, under) >= _SEEN else None


def _on_one_side(colours: Sequence[tuple[int, Colour]]) -> bool:
    """Return whether nearly all of a picture becomes either black or white."""
    white = sum(count for count, colour in colours if _is_white(colour))
    whole = sum(count for count, _ in colours)
    return min(white, whole - white) <= _OTHER_SIDE * whole


def _difference(colour: Colour, other: Colour) -> int:
    return max(abs(part - other_part) for part, other_part in zip(colour, other, strict=True))


def _is_same(colour: Colour, other: Colour | None) -> bool:
    return other is not None and _difference(colour, other) <= _SAME


def _is_white(colour: Colour | None) -> bool:
    """Return whether a colour becomes white."""
    return colour is not None and colour[0] * 299 + colour[1] * 587 + colour[2] * 114 >= _MIDDLE * 1000


def _is_colourful(colour: Colour | None) -> bool:
    return colour is not None and max(colour) - min(colour) >= _COLOURFUL


def _hex(colour: Colour | None) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour or (0, 0, 0))
