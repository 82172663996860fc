"""Writes letter.pdf: two pages in black on white, as a fax machine likes them, the same bytes at every run.

Only fonts that every PDF reader brings along, no grey, no lines thinner than a fax can show (0.13 mm at 200 dpi).
"""

from dataclasses import dataclass
from pathlib import Path

#: A4 in points (1/72 inch).
PAGE = (595, 842)
LEFT = 68
RIGHT = 535
#: Distance between lines of text of 11 points.
LEADING = 16

SENDER = "Northgate Water"
FOOTER = "Northgate Water Services \u00b7 Exchange House, 12 Mill Lane \u00b7 Fax +44 20 7946 0018 \u00b7 Ref. NW-2214"

FIRST_PAGE = """
Dear customer,

we are going to replace the water meter at your business premises. The meter that
you have now has reached the end of the period for which it may be used for billing.
The new one sends its readings by radio, so that nobody needs to call on you for
them any more.

*What happens, and when

The work takes about thirty minutes, during which there will be no water on your
premises. On the next page you find three dates in your area. Please mark the one
that suits you, sign, and fax the page back to +44 20 7946 0018 within ten working
days.

*What we ask of you

Please make sure that on the day the meter can be reached: a space of one metre in
front of it is enough. If a machine on your premises must not run dry (a boiler, a
cooling unit, a dialysis unit), tell us beforehand, and we bring a temporary supply.

*What it costs

Nothing. Replacing the meter is part of our service, and your rates stay as they
are.

If you have questions, our service desk is there for you Monday to Friday from 8 to
18, on +44 20 7946 0017.

Yours faithfully,
"""

DATES = (
    ("1", "Tuesday, 12 May", "8:00 to 12:00"),
    ("2", "Thursday, 14 May", "12:00 to 16:00"),
    ("3", "Monday, 18 May", "14:00 to 18:00"),
)
FORM = ("Company", "Customer number", "Contact on the day", "Telephone", "Date and signature")


@dataclass(slots=True)
class Page:
    """One page's drawing operators, from the top down."""

    operators: list[str]
    y: float = PAGE[1] - 70

    def text(self, x: float, text: str, size: float = 11, font: str = "F1") -> None:
        """Write text at the current height."""
        escaped = text.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
        self.operators.append(f"BT /{font} {size} Tf 1 0 0 1 {x} {self.y} Tm ({escaped}) Tj ET")

    def line(self, x1: float, x2: float, width: float = 1) -> None:
        """Draw a line across at the current height."""
        self.operators.append(f"{width} w {x1} {self.y} m {x2} {self.y} l S")

    def box(self, x: float, size: float = 13) -> None:
        """Draw a box to be ticked."""
        self.operators.append(f"1.2 w {x} {self.y - 2} {size} {size} re S")


def main() -> None:
    """Write the file beside this script."""
    Path(__file__).with_name("letter.pdf").write_bytes(document([letter(), reply_form()]))


def letter() -> Page:
    """The letter itself."""
    page = Page([])
    _heading(page, "1")
    for line in ("To our business customers", "in the Northgate supply area"):
        page.text(LEFT, line)
        page.y -= LEADING
    page.y -= LEADING
    page.text(RIGHT - 115, "London, 27 April 2026")
    page.y -= 2 * LEADING
    page.text(LEFT, "Replacement of your water meter: please choose a date", 13, "F2")
    page.y -= LEADING
    for line in FIRST_PAGE.strip("\n").splitlines():
        page.y -= LEADING if line else LEADING * 0.6
        page.text(LEFT, line.removeprefix("*"), 11, "F2" if line.startswith("*") else "F1")
    page.y -= 2.6 * LEADING
    page.text(LEFT, "M. Ashworth", 15, "F3")
    page.y -= 1.4 * LEADING
    page.text(LEFT, "M. Ashworth, Metering")
    return page


def reply_form() -> Page:
    """The page that customers send back."""
    page = Page([])
    _heading(page, "2")
    page.text(LEFT, "Reply by fax to +44 20 7946 0018", 15, "F2")
    page.y -= 2.5 * LEADING
    page.text(LEFT, "Please mark one date:")
    page.y -= 1.2 * LEADING
    page.line(LEFT, RIGHT)
    for number, day, hours in DATES:
        page.y -= 1.7 * LEADING
        page.box(LEFT + 6)
        for x, text in ((LEFT + 40, number), (LEFT + 80, day), (LEFT + 270, hours)):
            page.text(x, text, 12)
        page.y -= 0.8 * LEADING
        page.line(LEFT, RIGHT)
    page.y -= 2 * LEADING
    page.box(LEFT + 6)
    page.text(LEFT + 40, "None of these: please call us.", 12)
    page.y -= 3 * LEADING
    for label in FORM:
        page.text(LEFT, label, 10)
        page.line(LEFT + 150, RIGHT)
        page.y -= 2.4 * LEADING
    page.text(LEFT, "Please write in capitals and in black.", 10)
    return page


def _heading(page: Page, number: str) -> None:
    """Letterhead, page number and footer."""
    page.text(LEFT, SENDER, 20, "F2")
    page.text(RIGHT - 55, f"Page {number} of 2", 10)
    page.y -= 12
    page.line(LEFT, RIGHT, 2)
    top, page.y = page.y, 52
    page.line(LEFT, RIGHT)
    page.y -= 14
    page.text(LEFT, FOOTER, 9)
    page.y = top - 3 * LEADING


def document(pages: list[Page]) -> bytes:
    """Put pages together as PDF 1.4 (ISO 32000-1, 7.5): catalog, page tree, three fonts, two objects for each page."""
    first = 6
    kids = " ".join(f"{first + 2 * place} 0 R" for place in range(len(pages)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode(),
        *(_font(name) for name in ("Helvetica", "Helvetica-Bold", "Times-Italic")),
    ]
    for place, page in enumerate(pages):
        content = "\n".join(page.operators).encode("cp1252")
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {PAGE[0]} {PAGE[1]}] /Contents {first + 1 + 2 * place} 0 R"
            " /Resources << /Font << /F1 3 0 R /F2 4 0 R /F3 5 0 R >> >> >>".encode()
        )
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content))
    return _file(objects)


def _font(name: str) -> bytes:
    return f"<< /Type /Font /Subtype /Type1 /BaseFont /{name} /Encoding /WinAnsiEncoding >>".encode()


def _file(objects: list[bytes]) -> bytes:
    """Number the objects and write the table of where each begins."""
    data = bytearray(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")
    offsets = []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(data))
        data += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = len(data)
    data += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    data += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    data += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, table)
    return bytes(data)


if __name__ == "__main__":
    main()
