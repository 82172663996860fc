"""Looks whether the data of a picture is whole: readers show what they have, and leave the rest white or black."""

import os
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from tempfile import TemporaryFile
from typing import Any

from pikepdf import Array, Dictionary, Name, Stream

from dispatcher.documents.refusals import RefusedDocument

__all__ = ["BrokenPicture", "ensure_group4", "ensure_jpeg", "is_group4", "needed_bytes"]

#: larger pictures are left to PDFium: Pillow takes a byte for each pixel
_MAX_PIXELS = 50_000_000
_COMPONENTS = {"/DeviceGray": 1, "/CalGray": 1, "/G": 1, "/Indexed": 1, "/I": 1, "/Separation": 1}
_COMPONENTS |= {"/DeviceRGB": 3, "/CalRGB": 3, "/Lab": 3, "/RGB": 3, "/DeviceCMYK": 4, "/CMYK": 4}
#: a predictor of PNG adds a byte to each row
_FIRST_PNG_PREDICTOR = 10
#: data without codes of Group 4 after the picture: it is read only if the picture has not ended
_AFTER = bytes((number * 167 + 13) % 251 for number in range(1024))


class BrokenPicture(Exception):
    """Raised when the data of a picture is damaged."""


def needed_bytes(picture: Any, parameters: Any) -> int:
    """Return the size of a picture's unpacked data, without its last row; 0 if that is not known.

    Args:
        picture: The stream.
        parameters: Those of its last filter.
    """
    width, height = _number(picture, "/Width", "/W"), _number(picture, "/Height", "/H")
    if _flag(picture, "/ImageMask", "/IM"):
        bits = 1
    else:
        bits = _number(picture, "/BitsPerComponent", "/BPC") * _components(picture.get("/ColorSpace"))
    if min(width, height, bits) <= 0:
        return 0
    row = (width * bits + 7) // 8
    if isinstance(parameters, Dictionary) and _number(parameters, "/Predictor") >= _FIRST_PNG_PREDICTOR:
        row += 1
    return row * (height - 1)


def is_group4(picture: Any, parameters: Any) -> bool:
    """Return whether a picture is coded as Group 4 in a way that libtiff reads, and not too large for it."""
    if not isinstance(parameters, Dictionary) or _number(parameters, "/K") >= 0:
        return False
    pixels = _columns(parameters) * _number(picture, "/Height", "/H")
    return not _flag(parameters, "/EncodedByteAlign") and 0 < pixels <= _MAX_PIXELS and _columns(parameters) > 0


def ensure_group4(data: bytes, picture: Any, parameters: Any) -> None:
    """Raise BrokenPicture if there are codes of no meaning in it, or if it ends before its last row."""
    from PIL import Image  # most letters have no picture

    tiff = _tiff(data + _AFTER, _columns(parameters), _number(picture, "/Height", "/H"))
    with _messages() as has_messages:
        try:
            with Image.open(BytesIO(tiff), formats=("TIFF",)) as image:
                image.load()
        except (OSError, SyntaxError, ValueError) as error:
            raise BrokenPicture from error
        if has_messages():  # libtiff shows what it has, and says what is wrong
            raise BrokenPicture


def ensure_jpeg(data: bytes) -> None:
    """Raise BrokenPicture if a JPEG does not unpack to its end."""
    from PIL import Image

    try:
        with Image.open(BytesIO(data), formats=("JPEG",)) as image:
            # an eighth of the size, in a part of the time
            image.draft(image.mode, (image.width // 8, image.height // 8))
            image.load()
    except Image.DecompressionBombError as error:
        raise RefusedDocument("a picture in the PDF has too many pixels: print it to a new PDF") from error
    except (OSError, SyntaxError, ValueError) as error:
        raise BrokenPicture from error


def _columns(parameters: Any) -> int:
    return _number(parameters, "/Columns") or 1728


def _number(values: Any, *keys: str) -> int:
    value = next((values[key] for key in keys if key in values), 0)
    return value if isinstance(value, int) else 0


def _flag(values: Any, *keys: str) -> bool:
    return any(values.get(key) is True for key in keys)


def _components(space: Any) -> int:
    """Return how many numbers a pixel has; 0 if that is not known."""
    if isinstance(space, Name):
        return _COMPONENTS.get(str(space), 0)
    if not isinstance(space, Array) or not len(space):
        return 0
    kind = str(space[0])
    if kind == "/ICCBased" and len(space) > 1 and isinstance(space[1], Stream):
        return _number(space[1], "/N")
    if kind == "/DeviceN" and len(space) > 1 and isinstance(space[1], Array):
        return len(space[1])
    return _COMPONENTS.get(kind, 0)


def _tiff(data: bytes, width: int, height: int) -> bytes:
    """Return a picture in Group 4 as a TIFF of one strip."""
    fields = {256: width, 257: height, 258: 1, 259: 4, 262: 0, 273: 0, 277: 1, 278: height, 279: len(data)}
    fields[273] = 8 + 2 + 12 * len(fields) + 4  # where the data begins
    rows = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in fields.items())
    return b"II*\0" + struct.pack("<IH", 8, len(fields)) + rows + bytes(4) + data


@contextmanager
def _messages() -> Iterator[Callable[[], bool]]:
    """Collect what libraries write to the standard error meanwhile; the value tells whether there is any."""
    before = os.dup(2)
    with TemporaryFile(buffering=0) as file:
        os.dup2(file.fileno(), 2)
        try:
            yield lambda: os.fstat(2).st_size > 0
        finally:
            os.dup2(before, 2)
            os.close(before)
