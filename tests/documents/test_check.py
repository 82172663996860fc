"""Documents that are taken, and those that are refused, each with its own sentence."""

import re
import zlib
from collections.abc import Callable
from typing import Any

import pikepdf
import pytest
from pikepdf import Array, Dictionary, Name, ObjectStreamMode, Pdf, Stream, StreamDecodeLevel

from dispatcher.documents.check import check
from dispatcher.documents.refusals import RefusedDocument
from tests.documents.pdfs import FORMS, changed, jpeg, letter, new, saved, with_picture, without

MAX_PAGES = 50


def outcome(content: bytes) -> int | str:
    """The number of pages of a document that is taken, or the sentence of its refusal."""
    try:
        pages: int = check(content, MAX_PAGES)["pages"]
    except RefusedDocument as refused:
        return str(refused)
    return pages


@pytest.mark.parametrize("form", FORMS)
def test_a_letter_is_taken_in_every_form_that_programs_write(form: str) -> None:
    assert outcome(FORMS[form]) == 4


MAIL = b"--=_mime\r\nContent-Type: application/pdf\r\nContent-Transfer-Encoding: binary\r\n\r\n"
HARMLESS: dict[str, Callable[[bytes], bytes]] = {
    "a byte order mark before": lambda letter: b"\xef\xbb\xbf" + letter,
    "a blank line before": lambda letter: b"\r\n" + letter,
    "headers of a mail before": lambda letter: MAIL + letter,
    "a printer's language before": lambda letter: b"\x1b%-12345X@PJL ENTER LANGUAGE=PDF\r\n" + letter,
    "1,000 bytes before": lambda letter: b"x" * 1000 + letter,
    "a line end after": lambda letter: letter + b"\r\n",
    "a printer's language after": lambda letter: letter + b"\x1b%-12345X",
    "a boundary after": lambda letter: letter + b"\r\n--=_mime--\r\n",
    "a web page after": lambda letter: letter + b"<!DOCTYPE html><html><body>done</body></html>" * 100,
    "zeros after": lambda letter: letter + b"\0" * 5000,
    "a wrong place of the table": lambda letter: re.sub(rb"startxref\n\d+", b"startxref\n7", letter),
    "a place behind the end": lambda letter: re.sub(rb"startxref\n\d+", b"startxref\n99999999", letter),
}


@pytest.mark.parametrize("fault", HARMLESS)
@pytest.mark.parametrize("form", [form for form in FORMS if form != "RC4" and "AES" not in form])
def test_what_a_letter_has_around_it_does_no_harm(form: str, fault: str) -> None:
    assert outcome(HARMLESS[fault](FORMS[form])) == 4


def without_table(content: bytes) -> bytes:
    start = content.rindex(b"xref\n", 0, content.rindex(b"startxref"))
    return content[:start] + content[content.index(b"trailer", start) :]


def with_broken_table_stream(content: bytes) -> bytes:
    start = content.index(b"stream\n", content.rindex(b"/XRef")) + 7
    return content[:start] + b"\0" * 20 + content[start + 20 :]


TABLES: dict[str, Callable[[], bytes]] = {
    "offsets too small": lambda: re.sub(rb"(\d{10}) 00000 n", lambda m: b"%010d 00000 n" % (int(m[1]) - 3), letter()),
    "offsets too large": lambda: re.sub(rb"(\d{10}) 00000 n", lambda m: b"%010d 00000 n" % (int(m[1]) + 99), letter()),
    "offsets of zero": lambda: re.sub(rb"\d{10} 00000 n", b"0000000000 00000 n", letter()),
    "all entries free": lambda: letter().replace(b" 00000 n", b" 65535 f"),
    "no table": lambda: without_table(letter()),
    "another first number": lambda: letter().replace(b"xref\n0 ", b"xref\n1 "),
    "a size too small": lambda: re.sub(rb"/Size \d+", b"/Size 2", letter()),
    "short lines": lambda: letter().replace(b" 00000 n \n", b" 00000 n\n"),
    "letters in it": lambda: re.sub(rb"\d{10} 00000 n", b"00000x0000 00000 n", letter()),
    "a broken stream": lambda: with_broken_table_stream(FORMS["object streams"]),
    "a stream without its type": lambda: FORMS["object streams"].replace(b"/XRef", b"/XReg"),
}


@pytest.mark.parametrize("fault", TABLES)
def test_faults_of_the_table_of_objects_alone_do_no_harm(fault: str) -> None:
    assert TABLES[fault]() not in FORMS.values()
    assert outcome(TABLES[fault]()) == 4


def with_update(content: bytes, objects: bytes, end: bytes = b"startxref\n0\n%%EOF\n") -> bytes:
    """A letter with a change written after it, as signatures and notes are."""
    return content + objects + b"trailer << /Root 1 0 R /Size 99 >>\n" + end


NEW_CONTENT = b"\n4 0 obj\n<< /Length 41 >>\nstream\nBT /F1 12 Tf 72 700 Td (Second letter) Tj ET\nendstream\nendobj\n"


def test_a_change_at_the_end_is_taken() -> None:
    assert outcome(with_update(letter(), b"\n90 0 obj\n<< /Note (read) >>\nendobj\n")) == 4


@pytest.mark.parametrize("kept", [10, 60, len(NEW_CONTENT) - 3, len(NEW_CONTENT), len(NEW_CONTENT) + 20])
def test_a_change_that_is_cut_off_is_refused_because_the_letter_before_it_would_be_sent(kept: int) -> None:
    assert "cut off" in str(outcome(with_update(letter(), NEW_CONTENT)[: len(letter()) + kept]))


@pytest.mark.parametrize(
    "content",
    [
        *(
            b"PK\x03\x04",
            b"hello",
            b"{\\rtf1 letter}",
            b"<html>letter</html>",
            b"%!PS-Adobe-3.0\n",
            b"\xd0\xcf\x11\xe0" * 9,
        ),
        *(
            b"\xff\xd8\xff\xe0JFIF",
            b"II*\0",
            b"\0" * 5000,
            b" " * 2000 + letter(),
            b"JVBERi0xLjcK" * 50,
            b"% PDF-1.7\n",
        ),
    ],
)
def test_what_is_no_pdf_is_refused(content: bytes) -> None:
    assert "not a PDF" in str(outcome(content))


def test_an_empty_document_is_refused() -> None:
    assert "empty" in str(outcome(b""))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("part", [2, 10, 20, 30, 40, 50, 60, 70, 80, 90, 95, 98])
def test_a_letter_that_is_cut_off_is_refused(form: str, part: int) -> None:
    content = FORMS[form]
    assert isinstance(outcome(content[: len(content) * part // 100]), str)


@pytest.mark.parametrize("form", FORMS)
def test_a_letter_that_is_cut_off_and_filled_with_zeros_is_refused(form: str) -> None:
    """As by a download that reserves its room first."""
    content = FORMS[form]
    for part in range(5, 100, 10):
        kept = content[: len(content) * part // 100]
        assert isinstance(outcome(kept + bytes(len(content) - len(kept))), str)


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "line ends of Windows": lambda content: content.replace(b"\n", b"\r\n"),
    "line ends of old Macs": lambda content: content.replace(b"\n", b"\r"),
    "no carriage returns": lambda content: content.replace(b"\r", b""),
    "line feeds for carriage returns": lambda content: content.replace(b"\r", b"\n"),
    "read as UTF-8, faults replaced": lambda content: content.decode("utf-8", "replace").encode(),
    "read as UTF-8, faults left out": lambda content: content.decode("utf-8", "ignore").encode(),
    "Latin-1 written as UTF-8": lambda content: content.decode("latin-1").encode(),
    "ASCII with question marks": lambda content: content.decode("ascii", "replace").encode("ascii", "replace"),
    "seven bits": lambda content: bytes(byte & 0x7F for byte in content),
    "zeros left out": lambda content: content.replace(b"\0", b""),
    "end at zero": lambda content: content.partition(b"\0")[0],
    "a block of zeros": lambda content: content[:1500] + bytes(512) + content[2012:],
    "a block missing": lambda content: content[:1500] + content[2012:],
    "a block twice": lambda content: content[:2012] + content[1500:],
    "two blocks changed": lambda content: content[:1500] + content[2012:2524] + content[1500:2012] + content[2524:],
    "a bit": lambda content: content[:1700] + bytes([content[1700] ^ 4]) + content[1701:],
    "blanks at line ends left out": lambda content: re.sub(rb"[ \t]+\n", b"\n", content),
}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("form", ["plain", "object streams", "linearized", "AES-128"])
def test_what_bad_transfers_make_of_a_letter_is_refused_unless_it_is_all_there(form: str, damage: str) -> None:
    content = DAMAGE[damage](FORMS[form])
    if content != FORMS[form] and outcome(content) == 4:
        assert drawn(content) == drawn(FORMS[form])


def drawn(content: bytes) -> list[bytes]:
    import pypdfium2 as pdfium

    with pdfium.PdfDocument(content) as document:
        return [bytes(page.render(grayscale=True).buffer) for page in document]


def test_a_letter_of_ascii_alone_survives_other_line_ends() -> None:
    content = saved(new(), compress_streams=False)
    assert outcome(re.sub(rb"\n(?=[^\n]*\n)", b"\r\n", content)) in (4, *[outcome(content)])


def picture_of(pdf: Pdf) -> Any:
    return pdf.pages[0].Resources.XObject.Im0


def broken(filter_: str, data: bytes) -> bytes:
    """A letter whose picture has these bytes."""

    def change(pdf: Pdf) -> None:
        with_picture(pdf, jpeg())
        picture_of(pdf).write(data, filter=Name(filter_))

    return changed(change, stream_decode_level=StreamDecodeLevel.none, compress_streams=False)


def content_of(data: bytes, filter_: str = "/FlateDecode") -> bytes:
    """A letter the content of whose second page has these bytes."""

    def change(pdf: Pdf) -> None:
        pdf.pages[1].Contents = Stream(pdf, data, Filter=Name(filter_))

    return changed(change, stream_decode_level=StreamDecodeLevel.none, compress_streams=False)


PACKED = zlib.compress(b"BT /F1 12 Tf 72 700 Td (One more line of the letter) Tj ET " * 40)
PARTS: dict[str, Callable[[], bytes]] = {
    "content: half of it": lambda: content_of(PACKED[: len(PACKED) // 2]),
    "content: no checksum": lambda: content_of(PACKED[:-4]),
    "content: another checksum": lambda: content_of(PACKED[:-1] + bytes([PACKED[-1] ^ 1])),
    "content: noise": lambda: content_of(b"\x55" * 300),
    "content: not packed": lambda: content_of(b"BT (x) Tj ET"),
    "content: bytes missing": lambda: content_of(PACKED[:20] + PACKED[24:]),
    "content: another packing": lambda: content_of(PACKED, "/ASCIIHexDecode"),
    "content: an unknown packing": lambda: content_of(PACKED, "/NoSuchDecode"),
    "content: zeros": lambda: FORMS["uncompressed"].replace(b"(the letter", bytes(20) + b"(the lette", 1),
    "content: a filter of no letters": lambda: letter().replace(b"/FlateDecode", b"/\xc6lateDecode", 1),
    "picture: half of it": lambda: broken("/DCTDecode", jpeg()[: len(jpeg()) // 2]),
    "picture: no picture": lambda: broken("/DCTDecode", b"\0" * 500),
    "picture: of text": lambda: broken("/DCTDecode", jpeg().decode("utf-8", "replace").encode()),
    "picture: half of its pixels": lambda: broken("/FlateDecode", zlib.compress(bytes(9000))[:-9]),
    "picture: JPEG 2000": lambda: broken("/JPXDecode", b"\0\0\0\x0cjP  \r\n\x87\n" + b"\0" * 50),
    "object: content": lambda: without(letter(), b"/FlateDecode"),
    "object: font": lambda: without(letter(), b"/Helvetica"),
    "object: picture": lambda: without(changed(lambda pdf: with_picture(pdf, jpeg())), b"/DCTDecode"),
    "object: page": lambda: without(letter(), b"/MediaBox"),
    "object: page tree": lambda: without(letter(), b"/Kids"),
    "object: catalog": lambda: without(letter(), b"/Catalog"),
    "entry: font": lambda: changed(lambda pdf: delete(pdf.pages[2].Resources.Font, "/F1")),
    "entry: fonts": lambda: changed(lambda pdf: delete(pdf.pages[2].Resources, "/Font")),
    "entry: resources": lambda: changed(lambda pdf: delete(pdf.pages[2].obj, "/Resources")),
    "entry: kids": lambda: letter().replace(b"/Kids", b"/Nope"),
    "page: no page": lambda: changed(lambda pdf: set_(pdf.pages[1].obj, "/Type", Name.Font)),
    "page: number": lambda: letter().replace(b"/Count 4", b"/Count 5"),
    "page: null": lambda: letter().replace(b"/Kids [ 3 0 R", b"/Kids [ null "),
    "page: another one twice": lambda: letter().replace(b"/Kids [ 3 0 R 4 0 R", b"/Kids [ 3 0 R 3 0 R"),
    "page: circle": lambda: letter().replace(b"/Kids [ 3 0 R", b"/Kids [ 2 0 R"),
}


def delete(target: Any, key: str) -> None:
    del target[key]


def set_(target: Any, key: str, value: object) -> None:
    target[key] = value


@pytest.mark.parametrize("part", PARTS)
def test_a_letter_of_which_a_part_is_missing_or_damaged_is_refused(part: str) -> None:
    sentence = str(outcome(PARTS[part]()))
    assert "damaged" in sentence or "no pages" in sentence


def test_a_page_may_be_there_twice_if_no_other_is_missing() -> None:
    start, mark, rest = letter(2).replace(b"/Kids [ 3 0 R 4 0 R", b"/Kids [ 3 0 R 3 0 R").partition(b"\n4 0 obj")
    assert check(start + mark + rest.replace(b"/Type /Page ", b"/Type /Font ", 1), 200)["pages"] == 2


def test_a_font_that_no_page_uses_may_be_missing() -> None:
    def change(pdf: Pdf) -> None:
        pdf.pages[0].Resources.Font.F9 = pdf.make_indirect(Dictionary(BaseFont=Name("/Unused")))

    assert outcome(without(changed(change), b"/Unused")) == 4


def text_page(operators: bytes) -> bytes:
    return changed(lambda pdf: set_(pdf.pages[1].obj, "/Contents", pdf.make_stream(operators)))


@pytest.mark.parametrize(
    "operators",
    [
        b"",
        b"q Q",
        b"1 1 1 rg 0 0 595 842 re f",
        b"BT /F1 12 Tf 72 700 Td (   ) Tj ET",
        b"BT /F1 12 Tf 3 Tr 72 700 Td (hidden) Tj ET",
        b"BT /F1 12 Tf 72 2000 Td (beside the page) Tj ET",
        b"1 1 1 rg BT /F1 12 Tf 72 700 Td (white) Tj ET",
    ],
)
def test_a_page_that_is_blank_on_purpose_is_taken(operators: bytes) -> None:
    assert outcome(text_page(operators)) == 4


def with_empty_font(pdf: Pdf) -> None:
    """A font all of whose letters draw nothing, as of a program that left them out."""
    glyphs = Dictionary(a=pdf.make_stream(b"500 0 d0"))
    font = Dictionary(
        Type=Name.Font,
        Subtype=Name.Type3,
        FontBBox=Array([0, 0, 1000, 1000]),
        FontMatrix=Array([0.001, 0, 0, 0.001, 0, 0]),
        CharProcs=glyphs,
        Encoding=Dictionary(Type=Name.Encoding, Differences=Array([97, Name.a])),
        FirstChar=97,
        LastChar=97,
        Widths=Array([500]),
    )
    pdf.pages[1].Resources = Dictionary(Font=Dictionary(F1=font))
    pdf.pages[1].Contents = pdf.make_stream(b"BT /F1 12 Tf 72 700 Td (aaaa) Tj ET")


BLANK: dict[str, Callable[[], bytes]] = {
    "letters that draw nothing": lambda: changed(with_empty_font),
    "covered": lambda: text_page(b"BT /F1 12 Tf 72 700 Td (text) Tj ET 1 1 1 rg 0 0 595 842 re f"),
    "clipped": lambda: text_page(b"0 0 0 0 re W n BT /F1 12 Tf 72 700 Td (text) Tj ET"),
    "turned to nothing": lambda: text_page(b"BT /F1 0.0001 Tf 72 700 Td (text) Tj ET"),
}


@pytest.mark.parametrize("cause", BLANK)
def test_a_page_that_stays_blank_although_it_has_text_is_refused(cause: str) -> None:
    assert "stays blank" in str(outcome(BLANK[cause]()))


ENCRYPTIONS = {
    "RC4-40": pikepdf.Encryption(owner="o", user="u", R=2, aes=False, metadata=False),
    "RC4-128": pikepdf.Encryption(owner="o", user="u", R=3, aes=False, metadata=False),
    "RC4, crypt filter": pikepdf.Encryption(owner="o", user="u", R=4, aes=False, metadata=False),
    "AES-128": pikepdf.Encryption(owner="o", user="u", R=4),
    "AES-128, metadata": pikepdf.Encryption(owner="o", user="u", R=4, metadata=False),
    "AES-256": pikepdf.Encryption(owner="o", user="u", R=6),
}


@pytest.mark.parametrize("encryption", ENCRYPTIONS)
@pytest.mark.parametrize("objects", [ObjectStreamMode.disable, ObjectStreamMode.generate])
def test_a_document_that_needs_a_password_is_refused(encryption: str, objects: ObjectStreamMode) -> None:
    content = saved(new(), encryption=ENCRYPTIONS[encryption], object_stream_mode=objects)
    assert "password" in str(outcome(content))


def test_a_document_for_holders_of_a_certificate_is_refused() -> None:
    content = FORMS["AES-128"].replace(b"/Filter /Standard", b"/Filter /Adobe.PubSec")
    assert "certificate" in str(outcome(content))


def xfa(**catalog: object) -> Callable[[Pdf], None]:
    def change(pdf: Pdf) -> None:
        pdf.Root.AcroForm = Dictionary(Fields=Array(), XFA=pdf.make_stream(b"<xdp:xdp/>"))
        for key, value in catalog.items():
            set_(pdf.Root, f"/{key}", value)

    return change


def xfa_in_parts(pdf: Pdf) -> None:
    xfa(NeedsRendering=True)(pdf)
    pdf.Root.AcroForm.XFA = Array(["preamble", pdf.make_stream(b"<xdp>"), "template", pdf.make_stream(b"<template/>")])


def xfa_with_fields(pdf: Pdf) -> None:
    xfa(NeedsRendering=True)(pdf)
    fields(pdf)


def fields(pdf: Pdf) -> None:
    """A form that every reader shows: it has a field on a page."""
    look = pdf.make_stream(b"BT /F1 12 Tf 2 2 Td (Ada) Tj ET")
    look.update({"/Subtype": Name.Form, "/BBox": Array([0, 0, 100, 20]), "/Resources": pdf.pages[0].Resources})
    field = pdf.make_indirect(
        Dictionary(Type=Name.Annot, Subtype=Name.Widget, FT=Name.Tx, T="name", Rect=Array([72, 30, 172, 50]), F=4)
    )
    field.AP = Dictionary(N=look)
    pdf.pages[0].Annots = Array([field])
    if "/AcroForm" not in pdf.Root:
        pdf.Root.AcroForm = Dictionary()
    pdf.Root.AcroForm.Fields = Array([field])


def xfa_without_fields_entry(pdf: Pdf) -> None:
    xfa()(pdf)
    del pdf.Root.AcroForm.Fields


PLACEHOLDERS = {
    "a stream": xfa(NeedsRendering=True),
    "no word of rendering": xfa(),
    "rendering not needed": xfa(NeedsRendering=False),
    "in parts": xfa_in_parts,
    "with fields": xfa_with_fields,
    "without a list of fields": xfa_without_fields_entry,
}


@pytest.mark.parametrize("kind", PLACEHOLDERS)
@pytest.mark.parametrize("objects", [ObjectStreamMode.disable, ObjectStreamMode.generate])
def test_the_placeholder_of_a_form_is_refused(kind: str, objects: ObjectStreamMode) -> None:
    assert "XFA" in str(outcome(changed(PLACEHOLDERS[kind], object_stream_mode=objects)))


def static_xfa(pdf: Pdf) -> None:
    xfa(NeedsRendering=False)(pdf)
    fields(pdf)


@pytest.mark.parametrize("change", [fields, static_xfa])
def test_a_form_that_every_reader_shows_is_taken(change: Callable[[Pdf], None]) -> None:
    assert outcome(changed(change)) == 4


def portfolio(collection: Dictionary) -> Callable[[Pdf], None]:
    def change(pdf: Pdf) -> None:
        pdf.attachments["letter.pdf"] = pikepdf.AttachedFileSpec(pdf, letter())
        pdf.Root.Collection = collection

    return change


@pytest.mark.parametrize(
    "collection",
    [
        Dictionary(),
        Dictionary(Type=Name.Collection),
        Dictionary(Type=Name.Collection, View=Name.D),
        Dictionary(Type=Name.Collection, View=Name.T),
        Dictionary(Type=Name.Collection, View=Name.H),
        Dictionary(Type=Name.Collection, View=Name.C),
        Dictionary(Type=Name.Collection, D="letter.pdf"),
        Dictionary(Type=Name.Collection, Schema=Dictionary()),
        Dictionary(Type=Name.Collection, Sort=Dictionary(S=Name.Name)),
    ],
)
def test_a_portfolio_is_refused(collection: Dictionary) -> None:
    assert "portfolio" in str(outcome(changed(portfolio(collection))))
    assert "portfolio" in str(
        outcome(changed(portfolio(collection), object_stream_mode=ObjectStreamMode.generate, linearize=True))
    )


def test_a_letter_with_an_attachment_is_taken() -> None:
    def change(pdf: Pdf) -> None:
        pdf.attachments["table.pdf"] = pikepdf.AttachedFileSpec(pdf, letter(1))

    assert outcome(changed(change)) == 4


def box(**boxes: object) -> bytes:
    def change(pdf: Pdf) -> None:
        for key, value in boxes.items():
            set_(pdf.pages[1].obj, f"/{key}", Array(value) if isinstance(value, list) else value)

    return changed(change)


def inherited(pdf: Pdf) -> None:
    pdf.Root.Pages.MediaBox = Array([0, 0, 595, 842])
    for page in pdf.pages:
        del page.obj["/MediaBox"]


def rewritten(media_box: bytes) -> bytes:
    """A letter whose second page has this box. It is written into the file, because libraries repair it."""
    before, box, after = letter().partition(b"/MediaBox [ 0 0 595 842 ]")
    return before + box + after.replace(box, media_box.ljust(len(box)), 1)


@pytest.mark.parametrize(
    "content",
    [
        box(MediaBox=[595, 842, 0, 0]),
        box(MediaBox=[0, 842, 595, 0]),
        box(MediaBox=[-100, -100, 495, 742]),
        box(MediaBox=[0, 0, 612.0, 792.5]),
        box(MediaBox=[0, 0, 297.5, 421], UserUnit=2),
        box(MediaBox=[0, 0, 595, 5600]),
        box(CropBox=[50, 50, 500, 800]),
        box(CropBox=[500, 800, 50, 50]),
        box(CropBox=[-50, -50, 700, 900]),
        *(box(Rotate=turn) for turn in (90, 180, 270, -90, 450)),
        changed(inherited),
    ],
)
def test_usual_boxes_of_pages_are_taken(content: bytes) -> None:
    assert outcome(content) == 4


@pytest.mark.parametrize(
    "content",
    [
        box(MediaBox=[0, 0, 0, 0]),
        box(MediaBox=[0, 0, 595, 0]),
        box(MediaBox=[0, 0, 0.001, 842]),
        box(MediaBox=[100, 100, 100, 100]),
        box(CropBox=[0, 0, 0, 0]),
        box(CropBox=[1000, 1000, 2000, 2000]),
        box(UserUnit=0),
        rewritten(b""),
        rewritten(b"/MediaBox [ 0 0 595 ]"),
        rewritten(b"/MediaBox [ ]"),
        rewritten(b"/MediaBox /A4"),
        rewritten(b"/MediaBox [ 0 0 /A 842 ]"),
        rewritten(b"/MediaBox 99 0 R"),
    ],
)
def test_a_page_without_area_is_refused(content: bytes) -> None:
    assert "has no area" in str(outcome(content))


@pytest.mark.parametrize(
    "content",
    [
        box(MediaBox=[0, 0, 595, 5700]),
        box(MediaBox=[0, 0, 14400, 14400]),
        box(MediaBox=[-3000, 0, 3000, 842]),
        box(MediaBox=[5700, 842, 0, 0]),
        box(MediaBox=[0, 0, 10**9, 10**9]),
        box(MediaBox=[0, 0, 10**9, 842], CropBox=[0, 0, 595, 842]),
        box(MediaBox=[0, 0, 595, 842], UserUnit=10),
        box(MediaBox=[0, 0, 595, 842], UserUnit=7.5),
    ],
)
def test_a_page_longer_than_two_metres_is_refused(content: bytes) -> None:
    assert "2 m" in str(outcome(content))


def test_more_pages_than_allowed_are_refused() -> None:
    assert outcome(letter(MAX_PAGES)) == MAX_PAGES
    assert "more than 50 pages" in str(outcome(letter(MAX_PAGES + 1)))


def test_a_document_without_pages_is_refused() -> None:
    assert "no pages" in str(outcome(saved(Pdf.new())))


def test_two_documents_in_a_file_are_refused() -> None:
    assert "two PDFs" in str(outcome(letter() + letter(2)))
