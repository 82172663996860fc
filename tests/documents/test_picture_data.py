"""Pictures whose data is not whole, and content that is no content: readers show what they have of it."""

import random
import zlib
from collections.abc import Callable
from functools import cache
from io import BytesIO

import pytest
from pikepdf import Array, Dictionary, Name, Pdf, Stream, StreamDecodeLevel
from PIL import Image, ImageDraw

from dispatcher.documents.content_syntax import is_readable
from tests.documents.pdfs import changed, text
from tests.documents.test_check import outcome

WIDTH, HEIGHT = 800, 1000
ROW = WIDTH // 8


@cache
def scan() -> Image.Image:
    image = Image.new("1", (WIDTH, HEIGHT), 1)
    pen = ImageDraw.Draw(image)
    for line in range(40, HEIGHT - 40, 20):
        pen.text((40, line), "the letter was sent to all members of our society and asks for answers", fill=0)
    return image


@cache
def group4() -> bytes:
    file = BytesIO()
    scan().save(file, "TIFF", compression="group4", tiffinfo={278: HEIGHT})
    with Image.open(file) as tiff:
        start, size = tiff.tag_v2[273][0], tiff.tag_v2[279][0]  # type: ignore[attr-defined]
    return file.getvalue()[start : start + size]


def document(data: bytes, **entries: object) -> bytes:
    def change(pdf: Pdf) -> None:
        picture = Stream(pdf, data)
        picture.update({"/Type": Name.XObject, "/Subtype": Name.Image, "/Width": WIDTH, "/Height": HEIGHT})
        picture.update({"/ColorSpace": Name.DeviceGray, "/BitsPerComponent": 1})
        picture.update({f"/{key}": value for key, value in entries.items() if value is not None})
        pdf.pages[0].Resources.XObject = Dictionary(P=pdf.make_indirect(picture))
        pdf.pages[0].Contents = pdf.make_stream(b"q 500 0 0 700 40 60 cm /P Do Q")

    return changed(change, stream_decode_level=StreamDecodeLevel.none, compress_streams=False)


def fax(data: bytes, height: int = HEIGHT) -> bytes:
    parameters = Dictionary(K=-1, Columns=WIDTH, Rows=height, BlackIs1=True)
    return document(data, Filter=Name.CCITTFaxDecode, DecodeParms=parameters, Height=height)


def flipped(data: bytes, share: float) -> bytes:
    place = int(len(data) * share)
    return data[:place] + bytes(byte ^ 0xFF for byte in data[place : place + 8]) + data[place + 8 :]


def test_whole_pictures_are_taken() -> None:
    raw = scan().tobytes()
    assert outcome(fax(group4())) == 4
    assert outcome(fax(group4()[:-3])) == 4  # some scanners leave the mark of the end away
    assert outcome(fax(group4(), HEIGHT + 50)) == 4  # and others guess the height
    assert outcome(document(raw)) == 4
    assert outcome(document(raw[:-ROW])) == 4  # nobody sees that a row is missing
    assert outcome(document(zlib.compress(raw), Filter=Name.FlateDecode)) == 4
    assert outcome(document(b"\x80" * ROW * HEIGHT, ImageMask=True, ColorSpace=None)) == 4


@pytest.mark.parametrize(
    "content",
    [
        lambda: fax(group4()[: len(group4()) // 2]),
        lambda: fax(group4()[:-40]),
        lambda: fax(group4()[:20]),
        lambda: fax(flipped(group4(), 0.2)),
        lambda: fax(flipped(group4(), 0.6)),
        lambda: fax(b""),
        lambda: document(scan().tobytes()[: ROW * 600]),
        lambda: document(b""),
        lambda: document(zlib.compress(scan().tobytes()[: ROW * 900]), Filter=Name.FlateDecode),
        lambda: document(scan().tobytes(), ColorSpace=Name.DeviceRGB),
        lambda: document(scan().tobytes(), BitsPerComponent=8),
        lambda: document(bytes(10), Width=30_000, Height=30_000),
        lambda: document(bytes(10), ImageMask=True),
        lambda: document(bytes(500), ColorSpace=Array([Name.Indexed, Name.DeviceRGB, 1, b"\0\0\0\xff\xff\xff"])),
    ],
)
def test_pictures_with_too_little_data_are_refused(content: Callable[[], bytes]) -> None:
    assert outcome(content()) == ("the PDF is damaged, a picture of page 1 cannot be read: open it and export it again")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        text(),
        b"(a (nested \\( one\\) ) b) Tj 0 0 m 10 -.5 l S",
        b"/Span << /ActualText (\xfe\xff\x00a) /MCID 0 >> BDC (\xe9\xff\x01) Tj EMC % a comment: \xff (\n",
        b"q 1 0 0 1 0 0 cmBT/F1 12 TfETQ [(a)-20<00ff>]TJ 1e-05 w",  # without spaces, as some programs write
        b"q BI /W 4 /H 1 /BPC 8 /CS /G ID \xff EI\xff EI Q\n(after) Tj",
        b"BI /W 1 /H 1 /IM true /F [/A85 /Fl] ID abc~> EI",
        b"BX 1 2 unheard EX q Q",
        b"1000 0 d0 0 0 750 750 re f* b* T* \n 0 0 (a) \" (b) '",
        b"/N\xe9e Do",
    ],
)
def test_what_programs_write_is_readable(content: bytes) -> None:
    assert is_readable(content)


@pytest.mark.parametrize(
    "content",
    [
        text(lines=4) + b"BT (this string never ends Tj ET " + text(2),
        text(lines=4) + b"\x01\xff\x9c" + text(2),
        text().replace(b"Tj", b"Uj", 1),
        b"BX (a) Tj \xff\xfe EX",
        b"q BI /W 1600 /H 400 ID abc Q (after) Tj",
        random.Random(1).randbytes(2000),
    ],
)
def test_what_readers_would_leave_out_is_not_readable(content: bytes) -> None:
    assert not is_readable(content)
    page = changed(lambda pdf: setattr(pdf.pages[1], "Contents", pdf.make_stream(content)))
    assert outcome(page) == "the PDF is damaged, the content of page 2 cannot be read: open it and export it again"


@pytest.mark.parametrize("piece", [b"(", b"(a ", b" ID ", b"(\\", b"<", b"f", b"Td", b"/", b"EI ", b"((a)"])
def test_content_that_is_built_to_take_long_is_read_quickly(piece: bytes) -> None:
    is_readable(b"BI /W 1 ID " + piece * 50_000 + b"!")
