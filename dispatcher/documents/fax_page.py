"""How a page is laid out on a fax: resolutions, the width of a line, and which pages are turned or shrunk.

Pages are sent in their true size, centred on the line. Those that are too wide for it lying down are turned, and those
that are too large are shrunk.
"""

from enum import Enum
from typing import NamedTuple

__all__ = ["DOTS_ACROSS", "LINE_PIXELS", "Method", "PageLayout", "Resolution", "lay_out"]

#: pixels of a line, for A4 and Letter alike (ITU-T T.4): 215 mm
LINE_PIXELS = 1728
#: pixels per inch across
DOTS_ACROSS = 204
#: longer pages, in inches, are shrunk to the length of Legal
_LONGEST = 14
#: a page may be this much wider than a line and is only shrunk. Letter is, by six pixels
_NEARLY = 1.02
_POINTS = 72


class Resolution(Enum):
    """The provider's resolutions. The value is the number of lines per inch: fax pixels are not square."""

    FINE = 196
    SUPERFINE = 391


class Method(Enum):
    """How grey becomes black and white: by dots, or by one limit for all."""

    HALFTONE = "halftone"
    MONOCHROME = "monochrome"


class PageLayout(NamedTuple):
    """Where a page is on the picture, in pixels. The picture is ``LINE_PIXELS`` wide."""

    left: int
    width: int
    height: int
    #: whether it is turned by 90 degrees
    turned: bool
    #: its size on paper as a share of its true size
    scale: float


def lay_out(width: float, height: float, resolution: Resolution) -> PageLayout:
    """Return the layout of a page whose size is given in points."""
    line = LINE_PIXELS / DOTS_ACROSS * _POINTS
    turned = width > height and width > line * _NEARLY
    if turned:
        width, height = height, width
    scale = min(1.0, line / width, _LONGEST * _POINTS / height)
    across = max(1, min(LINE_PIXELS, round(width * scale * DOTS_ACROSS / _POINTS)))
    down = max(1, round(height * scale * resolution.value / _POINTS))
    return PageLayout(left=(LINE_PIXELS - across) // 2, width=across, height=down, turned=turned, scale=scale)
