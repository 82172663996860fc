"""PDFs of many kinds, made for tests: sound ones, and such as offices, scanners and bad lines make of them."""

import random
from collections.abc import Callable
from functools import cache
from io import BytesIO
from typing import Any

import pikepdf
from pikepdf import Dictionary, Name, ObjectStreamMode, Pdf, Stream
from PIL import Image

A4, LETTER = (595, 842), (612, 792)
_WORDS = (
    "the",
    "letter",
    "was",
    "sent",
    "to",
    "all",
    "members",
    "of",
    "our",
    "society",
    "and",
    "asks",
    "for",
    "answers",
)


def text(page: int = 1, lines: int = 40) -> bytes:
    """The content of a page of text, another one for each page."""
    chance = random.Random(page)
    rows = (" ".join(chance.choices(_WORDS, k=11)) for _ in range(lines))
    return b"BT /F1 12 Tf 14 TL 72 750 Td " + b"".join(f"({row}) Tj T* ".encode() for row in rows) + b"ET"


def new(pages: int = 4, size: tuple[int, int] = A4) -> Pdf:
    """A document of pages with text in one font."""
    pdf = Pdf.new()
    font = pdf.make_indirect(Dictionary(Type=Name.Font, Subtype=Name.Type1, BaseFont=Name.Helvetica))
    for number in range(1, pages + 1):
        page = pdf.add_blank_page(page_size=size)
        page.Resources = Dictionary(Font=Dictionary(F1=font))
        page.Contents = pdf.make_stream(text(number))
    return pdf


def saved(pdf: Pdf, **how: Any) -> bytes:
    """The file of a document; the same for the same document."""
    file = BytesIO()
    how.setdefault("object_stream_mode", ObjectStreamMode.disable)
    pdf.save(file, deterministic_id="encryption" not in how, **how)
    return file.getvalue()


@cache
def letter(pages: int = 4) -> bytes:
    """An ordinary letter."""
    return saved(new(pages))


def changed(change: Callable[[Pdf], None], pages: int = 4, **how: Any) -> bytes:
    """A letter after a change."""
    pdf = new(pages)
    change(pdf)
    return saved(pdf, **how)


def without(content: bytes, pattern: bytes) -> bytes:
    """A file from which an object is missing: the first that contains the pattern."""
    middle = content.index(pattern)
    start = content.rindex(b" 0 obj", 0, middle)
    start = content.rindex(b"\n", 0, start) + 1
    end = content.index(b"endobj", middle) + len(b"endobj\n")
    return content[:start] + content[end:]


#: how programs write the same letter
FORMS: dict[str, bytes] = {
    "plain": letter(),
    "uncompressed": saved(new(), compress_streams=False),
    "object streams": saved(new(), object_stream_mode=ObjectStreamMode.generate),
    "linearized": saved(new(), linearize=True),
    "linearized, object streams": saved(new(), linearize=True, object_stream_mode=ObjectStreamMode.generate),
    "RC4": saved(new(), encryption=pikepdf.Encryption(owner="o", R=4, aes=False, metadata=False)),
    "AES-128": saved(new(), encryption=pikepdf.Encryption(owner="o", R=4, metadata=False)),
    "AES-256": saved(new(), encryption=pikepdf.Encryption(owner="o", R=6)),
}


@cache
def jpeg() -> bytes:
    """A photograph: noise over a slope."""
    chance, file = random.Random(1), BytesIO()
    picture = Image.new("L", (200, 100))
    picture.putdata([(x + chance.randrange(60)) % 256 for _ in range(100) for x in range(200)])
    picture.save(file, "JPEG")
    return file.getvalue()


def with_picture(pdf: Pdf, data: bytes) -> None:
    """Add a picture to the first page."""
    picture = Stream(pdf, data)
    picture.update(
        {
            "/Type": Name.XObject,
            "/Subtype": Name.Image,
            "/Width": 200,
            "/Height": 100,
            "/ColorSpace": Name.DeviceGray,
            "/BitsPerComponent": 8,
            "/Filter": Name.DCTDecode,
        }
    )
    page = pdf.pages[0]
    page.Resources.XObject = Dictionary(Im0=pdf.make_indirect(picture))
    page.contents_add(b"q 200 0 0 100 72 60 cm /Im0 Do Q")
