"""Small PDFs that are built to take all memory or time of whoever reads them."""

import zlib
from collections.abc import Callable
from io import BytesIO

from pikepdf import Array, Dictionary, Name, Pdf, Stream, StreamDecodeLevel

from tests.documents.pdfs import changed


def _packed(start: bytes, megabytes: int) -> bytes:
    """Some bytes and many megabytes of blanks, packed. The blanks are packed once, and repeated."""
    packer, blanks = zlib.compressobj(9), b" " * 1_000_000
    first = packer.compress(start) + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(blanks) + packer.flush(zlib.Z_FULL_FLUSH)
    checksum = zlib.adler32(start)
    for _ in range(megabytes):
        checksum = zlib.adler32(blanks, checksum)
    return first + block * megabytes + b"\x03\x00" + checksum.to_bytes(4, "big")


def _raw(objects: dict[int, bytes], trailer: bytes) -> bytes:
    """A file of these objects, without a table: readers build their own."""
    body = b"".join(b"%d 0 obj\n%b\nendobj\n" % item for item in objects.items())
    return b"%PDF-1.7\n" + body + b"trailer << " + trailer + b" >>\nstartxref\n0\n%%EOF\n"


def _stream(entries: bytes, data: bytes) -> bytes:
    return b"<< %b /Length %d >>\nstream\n%b\nendstream" % (entries, len(data), data)


def _object_streams(count: int = 40) -> bytes:
    """Each page lies in an object stream of its own, of 70 MB that were packed twice."""
    objects = {1: b"<< /Type /Catalog /Pages 2 0 R >>"}
    kids = b" ".join(b"%d 0 R" % (1000 + number) for number in range(count))
    objects[2] = b"<< /Type /Pages /Kids [%b] /Count %d >>" % (kids, count)
    rows = dict.fromkeys(objects, (1, 0, 0))
    for number in range(count):
        page = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] >>"
        head = b"%d 0 " % (1000 + number)
        data = zlib.compress(_packed(head + page, 70), 9)
        entries = b"/Type /ObjStm /N 1 /First %d /Filter [/FlateDecode /FlateDecode]" % len(head)
        objects[10 + number] = _stream(entries, data)
        rows[1000 + number] = (2, 10 + number, 0)
    return _with_table(objects, rows)


def _with_table(objects: dict[int, bytes], rows: dict[int, tuple[int, int, int]]) -> bytes:
    out = BytesIO(b"%PDF-1.7\n")
    out.seek(0, 2)
    for number, content in objects.items():
        rows[number] = (1, out.tell(), 0)
        out.write(b"%d 0 obj\n%b\nendobj\n" % (number, content))
    start, size = out.tell(), max(rows) + 2
    rows[size - 1] = (1, start, 0)
    table = b"".join(
        kind.to_bytes(1, "big") + place.to_bytes(4, "big") + index.to_bytes(2, "big")
        for kind, place, index in (rows.get(number, (0, 0, 0)) for number in range(size))
    )
    out.write(
        b"%d 0 obj\n%b\nendobj\n" % (size - 1, _stream(b"/Type /XRef /Root 1 0 R /W [1 4 2] /Size %d" % size, table))
    )
    out.write(b"startxref\n%d\n%%%%EOF\n" % start)
    return out.getvalue()


def _nested_filters() -> bytes:
    """The content of a page unpacks five times, from 1 kB to gigabytes."""
    data = _packed(b"", 1_000)
    for _ in range(3):
        data = zlib.compress(data, 9)

    def change(pdf: Pdf) -> None:
        pdf.pages[0].Contents = Stream(pdf, data, Filter=Array([Name.FlateDecode] * 4))

    return changed(change, stream_decode_level=StreamDecodeLevel.none, compress_streams=False)


def _huge_picture() -> bytes:
    """A picture of 60,000 by 60,000 pixels."""

    def change(pdf: Pdf) -> None:
        picture = Stream(pdf, _packed(b"", 10), Filter=Name.FlateDecode)
        picture.update(
            {
                "/Type": Name.XObject,
                "/Subtype": Name.Image,
                "/Width": 60_000,
                "/Height": 60_000,
                "/ColorSpace": Name.DeviceRGB,
                "/BitsPerComponent": 8,
            }
        )
        for page in pdf.pages:
            page.Resources.XObject = Dictionary(Im0=picture)
            page.Contents = pdf.make_stream(b"q 500 0 0 700 50 50 cm /Im0 Do Q " * 50)

    return changed(change, stream_decode_level=StreamDecodeLevel.none)


def _huge_fax() -> bytes:
    """A page of 60,000 by 200,000 pixels in a few bytes of CCITT code, many times."""

    def change(pdf: Pdf) -> None:
        picture = Stream(pdf, b"\x00\x10\x01" * 100, Filter=Name.CCITTFaxDecode)
        picture.DecodeParms = Dictionary(K=-1, Columns=60_000, Rows=200_000)
        picture.update({"/Type": Name.XObject, "/Subtype": Name.Image, "/Width": 60_000, "/Height": 200_000})
        picture.update({"/ColorSpace": Name.DeviceGray, "/BitsPerComponent": 1})
        pdf.pages[0].Resources.XObject = Dictionary(Im0=picture)
        pdf.pages[0].Contents = pdf.make_stream(b"q 500 0 0 700 50 50 cm /Im0 Do Q " * 50)

    return changed(change, stream_decode_level=StreamDecodeLevel.none)


def _millions_of_objects() -> bytes:
    """Half a million dictionaries, each an object of its own, all needed by a page."""
    count = 500_000
    objects = {1: b"<< /Type /Catalog /Pages 2 0 R >>", 2: b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>"}
    references = b" ".join(b"%d 0 R" % (10 + number) for number in range(count))
    objects[3] = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Resources << /Font [%b] >> >>" % references
    objects |= {10 + number: b"<<>>" for number in range(count)}
    return _raw(objects, b"/Root 1 0 R /Size %d" % (count + 10))


def _nested_forms() -> bytes:
    """A form that draws another one ten times, which does the same, and so on."""

    def change(pdf: Pdf) -> None:
        inner = pdf.make_stream(b"0 0 500 500 re f " * 100)
        inner.update({"/Type": Name.XObject, "/Subtype": Name.Form, "/BBox": Array([0, 0, 500, 500])})
        for _ in range(9):
            outer = pdf.make_stream(b"/F Do " * 10)
            outer.update({"/Type": Name.XObject, "/Subtype": Name.Form, "/BBox": Array([0, 0, 500, 500])})
            outer.Resources = Dictionary(XObject=Dictionary(F=inner))
            inner = outer
        pdf.pages[0].Resources = Dictionary(XObject=Dictionary(F=inner))
        pdf.pages[0].Contents = pdf.make_stream(b"/F Do")

    return changed(change)


BOMBS: dict[str, Callable[[], bytes]] = {
    "object streams": _object_streams,
    "nested filters": _nested_filters,
    "a huge picture": _huge_picture,
    "a huge picture in fax code": _huge_fax,
    "millions of objects": _millions_of_objects,
    "nested forms": _nested_forms,
}
