"""What looks bad on a fax is warned about, and nothing else."""

import random

import pypdfium2
import pytest
from pikepdf import Array, Dictionary

from dispatcher.documents.check import check
from dispatcher.documents.looks import PageLooks
from tests.documents.drawn import (
    A4,
    LETTER,
    area,
    form,
    line,
    lines,
    page,
    photo,
    picture,
    placed,
    text,
    together,
)

LONG_S = 900.0


def looked_at(content: bytes, longest_sending_s: float = LONG_S) -> PageLooks:
    looks = PageLooks(longest_sending_s)
    with pypdfium2.PdfDocument(content) as document:
        document.init_forms()
        for index in range(len(document)):
            looks.page(document[index], index + 1)
    return looks


def codes(content: bytes) -> list[str]:
    return [warning["code"] for warning in looked_at(content).warnings()]


SPECK = bytes(0 if index % 9_973 == 5 else 255 for index in range(850 * 1100))
PAPER = bytes(236 + index * 7 % 13 for index in range(425 * 550))

BLANK = {
    "nothing": page(""),
    "white text": page(lines(colour="1 g")),
    "white area": page(area("1 1 1", 0, 0, 600, 850)),
    "spaces": page(text("          ")),
    "text beside the page": page(text(x=700)),
    "text that is not drawn": page("3 Tr " + text()),
    "clipped": page("0 0 1 1 re W n " + lines()),
    "scan of empty paper": page(placed("P", 0, 0, 595, 842), objects={"P": picture(PAPER, 425)}),
    "scan with specks": page(placed("P", 0, 0, 612, 792), size=LETTER, objects={"P": picture(SPECK, 850)}),
    "scan of empty paper, bits": page(
        placed("P", 0, 0, 595, 842), objects={"P": picture(b"\xff" * 216 * 2200, 1728, bits=1)}
    ),
    "empty form": page("/E Do", objects={"E": form("")}),
    "a path that draws nothing": page("100 100 m 200 200 l n"),
}

SMALL = {
    "7 points": page(lines(5, size=7)),
    "6 points beside 11": page(lines(10) + text(size=6, y=40)),
    "size in the matrix of the text": page("BT /F1 1 Tf 6 0 0 6 70 700 Tm (Terms and conditions apply) Tj ET"),
    "size in the matrix of the page": page("0.5 0 0 0.5 0 0 cm BT /F1 12 Tf 140 1400 Td (Terms apply) Tj ET"),
    "size 24 of a shrunk page": page("q .25 0 0 .25 0 0 cm BT /F1 24 Tf 300 2800 Td (Terms apply) Tj ET Q"),
    "in a form": page(
        "q 0.5 0 0 0.5 0 0 cm /B Do Q",
        objects={"B": form(text("Terms apply", size=12, y=1400), box=(0, 0, 1300, 1800))},
    ),
    "in a form with a matrix": page("/B Do", objects={"B": form(text("Terms apply", size=12), (0.5, 0, 0, 0.5, 0, 0))}),
    "upright": page("BT /F1 6 Tf 0 1 -1 0 30 200 Tm (Form 1234-A, rev. 7) Tj ET"),
    "figures of a table": page("".join(text("1,234.50", size=6.5, y=700 - 9 * row) for row in range(9))),
    "letter by letter": page(
        "".join(text(letter, size=6, x=70 + 4 * place) for place, letter in enumerate("abcdefghij" * 2))
    ),
    "a page of A3": page(text(size=9), size=(842, 1191)),
    "white on black": page(area("0 0 0", 60, 690, 200, 30) + text("Terms and conditions", size=6, colour="1 g")),
    "flipped": page("1 0 0 -1 0 842 cm BT /F1 6 Tf 1 0 0 -1 70 100 Tm (Terms and conditions) Tj ET"),
}

DARK = {
    "black page": page(area("0 0 0", 0, 0, 595, 842)),
    "white on black": page(area("0 0 0", 0, 400, 595, 442) + lines(colour="1 g")),
    "dark blue area": page(area("0 0 0.4", 50, 500, 495, 200) + text(y=300)),
    "mid-grey area": page(area("0.5 0.5 0.5", 50, 300, 300, 300)),
    "red area": page(area("0.8 0 0", 100, 100, 400, 200)),
    "photograph": page(placed("P", 60, 400, 400, 300), objects={"P": photo()}),
    "photograph of half a postcard": page(lines() + placed("P", 60, 150, 220, 165), objects={"P": photo(0, 200)}),
    "scan on grey paper": page(placed("P", 0, 0, 595, 842), objects={"P": photo(150, 190)}),
    "photograph in a form": page("/B Do", objects={"B": form(area("0.3 0.2 0.2", 100, 300, 300, 300))}),
    "many dark bars": page("".join(area("0.1 0.1 0.3", 50, 50 + 60 * bar, 495, 30) for bar in range(10))),
    "photographs in a row": page(
        "".join(placed("P", 60 + 160 * place, 400, 140, 105) for place in range(3)), objects={"P": photo(0, 200)}
    ),
    "transparent black": page("/T gs " + area("0 0 0", 50, 300, 400, 300), states={"T": Dictionary(ca=0.6)}),
}

VANISHING = {
    "yellow text": page(lines(colour="1 1 0 rg")),
    "light grey text": page(lines() + text(y=200, colour="0.75 g")),
    "pale blue heading": page(text("Northgate Water", size=24, y=780, colour="0.5 0.8 1 rg") + lines()),
    "orange text": page(lines() + text(y=200, colour="1 0.6 0 rg")),
    "process colour": page(lines() + text(y=200, colour="0 0 1 0 k")),
    "white on light green": page(area("0.5 0.9 0.5", 60, 690, 400, 30) + text(colour="1 g")),
    "black on dark red": page(area("0.5 0 0", 60, 690, 400, 30) + text()),
    "yellow bars of a chart": page(
        lines(5) + "".join(area("1 0.9 0", 100 + 60 * bar, 300, 40, 100 + 20 * bar) for bar in range(5))
    ),
    "cyan line": page(lines(5) + "q 0 1 1 RG 2 w 100 300 m 200 380 l 300 340 l 400 460 l S Q"),
    "pale picture": page(
        lines(5) + placed("P", 100, 300, 200, 100),
        objects={"P": picture(bytes([255, 255, 60] * 50 + [255, 255, 255] * 50) * 50, 100, "/DeviceRGB")},
    ),
    "pale outlines": page("1 Tr 1 0.8 0 RG " + text(size=24, colour="1 g")),
    "transparent text": page("/T gs " + lines(), states={"T": Dictionary(ca=0.3)}),
    "light text in a form": page(lines() + "/B Do", objects={"B": form(text(y=200, colour="1 0.8 0.2 rg"))}),
}

OTHER_SIZE = {
    "A3": page(lines(), size=(841.89, 1190.55)),
    "A5": page(text(y=500), size=(419.53, 595.28)),
    "Legal": page(lines(), size=(612, 1008)),
    "Tabloid": page(lines(), size=(792, 1224)),
    "Ledger": page(lines(), size=(1224, 792)),
    "Executive": page(text(y=600), size=(522, 756)),
    "B5": page(text(y=600), size=(498.9, 708.66)),
    "slide": page(text(size=24, y=300), size=(720, 405)),
    "square": page(text(y=400), size=(600, 600)),
    "envelope": page(text(y=200), size=(623.6, 311.8)),
    "A4 cropped to A5": page(text(y=500), CropBox=Array([0, 0, 419.53, 595.28])),
    "A4 with marks for cutting": page(lines(), size=(652, 899)),
}


WAVES = bytes(255 if (x // 20 + y // 20) % 2 else 0 for y in range(100) for x in range(100))
SCAN = bytes(20 if y % 44 < 8 and x % 11 < 6 and 100 < x < 700 else 238 for y in range(1100) for x in range(850))


def _table(colour: str = "0 0 0", width: float = 0.5, size: float = 9) -> str:
    across = "".join(line(colour, 60, 700 - 18 * row, 535, 700 - 18 * row, width) for row in range(21))
    down = "".join(line(colour, 60 + 95 * place, 340, 60 + 95 * place, 700, width) for place in range(6))
    cells = (
        text("1,234.50", size=size, x=65 + 95 * place, y=686 - 18 * row) for place in range(5) for row in range(20)
    )
    return across + down + "".join(cells)


PLAIN = {
    "A4": page(lines()),
    "Letter": page(lines(), size=LETTER),
    "a page full of bold type": page(
        "".join(text("MMMM WWWW " * 5, size=14, y=800 - 15 * place) for place in range(50))
    ),
    "A4 lying down": page(lines(20), size=(A4[1], A4[0])),
    "A4 turned by its viewer": page(lines(), Rotate=90),
    "A4 cropped out of a larger sheet": page(lines(), size=(652, 899), CropBox=Array([28, 28, 623.28, 869.89])),
    "A4 in whole points": page(lines(), size=(595, 842)),
    "Letter turned by its viewer": page(lines(), size=LETTER, Rotate=270),
    "a black logo": page(area("0 0 0", 60, 740, 90, 70) + lines(10)),
    "a logo in three colours": page(
        area("0 0.2 0.5", 60, 760, 40, 40)
        + area("1 0.8 0", 105, 780, 20, 20)
        + area("0.8 0 0", 105, 760, 20, 15)
        + lines(10)
    ),
    "a picture as logo": page(placed("P", 60, 740, 80, 80) + lines(10), objects={"P": picture(WAVES, 100)}),
    "a small photograph": page(placed("P", 440, 660, 99, 127) + lines(10), objects={"P": photo(0, 220)}),
    "a table with lines": page(_table()),
    "a table with grey lines": page(_table("0.75 0.75 0.75")),
    "a table with hairlines": page(_table(width=0)),
    "a table with shaded rows": page(
        "".join(area("0.9 0.9 0.9", 60, 682 - 36 * row, 475, 18) for row in range(10)) + _table()
    ),
    "a table with a dark heading": page(area("0.1 0.2 0.4", 60, 700, 475, 20) + text(y=706, colour="1 g") + _table()),
    "a letterhead in dark blue": page(text("Northgate Water", size=24, y=780, colour="0 0.2 0.5 rg") + lines()),
    "a letterhead in dark red, with a band": page(
        area("0.6 0 0", 0, 820, 596, 22) + text("Northgate Water", size=24, y=780, colour="0.6 0 0 rg") + lines()
    ),
    "a letterhead in green": page(text("Northgate Water", size=24, y=780, colour="0 0.5 0.2 rg") + lines()),
    "type of 8 points": page(lines(size=8)),
    "type of 8 points of TeX": page(lines(size=7.97)),
    "8 points on Letter, which is shrunk by six pixels": page(lines(size=8), size=LETTER),
    "size 16 of a page shrunk by half": page("q .5 0 0 .5 0 0 cm " + text(size=16, x=140, y=1400) + "Q"),
    "marks of footnotes": page(
        lines() + "".join(text(f"{place}\\)", size=6, x=500, y=740 - 16 * place) for place in range(1, 7))
    ),
    "a raised sign": page(lines() + text("(R)".replace("(", "\\(").replace(")", "\\)"), size=5, x=500, y=745)),
    "recognised text behind a scan": page(
        placed("P", 0, 0, 612, 792) + "3 Tr " + text(size=4), size=LETTER, objects={"P": picture(SCAN, 850)}
    ),
    "marks for machines, white on white": page(lines() + text("sign here 1", size=2, y=60, colour="1 g")),
    "small text beside the page": page(lines() + text(size=5, x=700)),
    "letters that are drawn": page(lines() + "BT /F3 1 Tf 70 300 Td (aaaaaaaa) Tj ET"),
    "a grey watermark, hardly seen": page(text("COPY", size=90, x=150, y=400, colour="0.93 g") + lines()),
    "text marked in yellow": page(area("1 1 0", 60, 696, 400, 14) + lines()),
    "white on dark green": page(area("0 0.35 0.1", 60, 690, 400, 30) + text(colour="1 g") + text(y=500)),
    "a page number alone": page(text("7", x=300, y=40)),
    "a signature line alone": page(line("0 0 0", 60, 100, 300, 100, 0.5)),
    "a scanned letter": page(placed("P", 0, 0, 612, 792), size=LETTER, objects={"P": picture(SCAN, 850)}),
    "blue ink": page(lines() + line("0 0 0.8", 100, 200, 200, 230, 1.5)),
    "a stamp in red": page(
        lines() + "q 0.8 0 0 RG 3 w 350 100 150 60 re S Q" + text("PAID", size=30, x=370, y=120, colour="0.8 0 0 rg")
    ),
    "light bullets": page(
        "".join(text("\\225", x=60, y=740 - 16 * place, colour="1 0.6 0 rg") for place in range(12)) + lines()
    ),
}


@pytest.mark.parametrize("content", PLAIN.values(), ids=PLAIN)
def test_plain_letters_have_no_warnings(content: bytes) -> None:
    assert looked_at(content).warnings() == []


@pytest.mark.parametrize("content", BLANK.values(), ids=BLANK)
def test_blank_pages_are_warned_about(content: bytes) -> None:
    assert codes(content) == ["blank_page"]


@pytest.mark.parametrize("content", SMALL.values(), ids=SMALL)
def test_text_below_8_points_is_warned_about(content: bytes) -> None:
    assert "small_text" in codes(content)


@pytest.mark.parametrize("content", DARK.values(), ids=DARK)
def test_photographs_and_large_dark_areas_are_warned_about(content: bytes) -> None:
    assert set(codes(content)) & {"dark_area", "photograph"}


@pytest.mark.parametrize("content", VANISHING.values(), ids=VANISHING)
def test_colours_that_vanish_are_warned_about(content: bytes) -> None:
    assert codes(content) == ["vanishing_colour"]


@pytest.mark.parametrize("content", OTHER_SIZE.values(), ids=OTHER_SIZE)
def test_pages_that_are_neither_letter_nor_a4_are_warned_about(content: bytes) -> None:
    assert "page_size" in codes(content)


def test_a_warning_names_the_page_and_what_is_wrong() -> None:
    letter = together(page(lines()), page(""), page(lines(size=6)), page(lines(), size=(842, 1191)))
    assert looked_at(letter).warnings() == [
        {"code": "blank_page", "page": 2, "sentence": "Page 2 is blank."},
        {
            "code": "small_text",
            "page": 3,
            "sentence": "Page 3 has text of 6.0 points: below 8 it is hard to read on a fax.",
        },
        {
            "code": "page_size",
            "page": 4,
            "sentence": "Page 4 has 297 x 420 mm, neither A4 nor Letter: it is shrunk to 72%.",
        },
    ]


def test_many_pages_with_the_same_warning_are_counted() -> None:
    warnings = looked_at(together(*[page("")] * 13)).warnings()
    assert [warning["page"] for warning in warnings] == [*range(1, 11), 0]
    assert warnings[-1]["sentence"] == "The same is true of 3 other pages."


NOISE = {"P": picture(random.Random(1).randbytes(400 * 300), 400)}


@pytest.mark.parametrize(
    ("letter", "longest_s", "warned"),
    [
        (page(lines()), 30, False),
        (page(lines()), 1, True),
        (page(""), 0.5, False),
        (together(*[page(lines())] * 3), 40, False),
        (together(*[page(lines())] * 9), 10, True),
        (page(placed("P", 50, 50, 400, 300), objects=NOISE), 30, True),
        (page(placed("P", 50, 50, 400, 300), objects=NOISE), 900, False),
        (page(_table()), 30, False),
        (page(placed("P", 0, 0, 595, 842), objects={"P": photo(60, 200)}), 60, True),
        (page(placed("P", 0, 0, 595, 842), objects={"P": photo(60, 200)}), 3600, False),
    ],
)
def test_long_sending_is_warned_about(letter: bytes, longest_s: float, warned: bool) -> None:
    codes_ = [warning["code"] for warning in looked_at(letter, longest_s).warnings()]
    assert ("long_sending" in codes_) == warned


def test_the_time_of_sending_grows_with_what_is_on_the_pages() -> None:
    blank, letter = (looked_at(page(content)).sending_s for content in ("", lines()))
    assert blank < 0.2
    assert 1 < letter < 20
    assert looked_at(together(page(""), page(lines()))).sending_s == pytest.approx(blank + letter)


def test_some_pages_of_a_long_document_stand_for_others() -> None:
    letter = looked_at(page(lines())).sending_s
    assert looked_at(together(*[page(lines())] * 33)).sending_s == pytest.approx(33 * letter)


def test_a_page_has_ink_if_anything_on_it_is_not_white() -> None:
    looks = PageLooks(LONG_S)
    for content, ink in ((page(""), False), (page(lines(colour="1 1 0 rg")), True), (page(text(".", size=3)), True)):
        with pypdfium2.PdfDocument(content) as document:
            assert looks.page(document[0], 1) is ink


def test_pages_for_which_there_is_no_time_are_named() -> None:
    answer = check(together(*[page(lines())] * 15), 200, draw_until_s=0.0)
    (warning,) = (entry for entry in answer["warnings"] if entry["code"] == "not_looked_at")
    assert warning["page"] == 0
    assert "pages 11 to 15:" in warning["sentence"]
    assert answer["sending_s"] == pytest.approx(15 * looked_at(page(lines())).sending_s)
    assert "not_looked_at" not in str(check(page(lines()), 200, draw_until_s=0.0))
