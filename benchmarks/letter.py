"""Writes PDF documents."""

import random
from pathlib import Path

from pikepdf import AttachedFileSpec, Dictionary, Name, Pdf

_A4_POINTS = (595, 842)
_LINE = "(This line stands for the text of a letter, and is as long as others.) Tj T* "


def write_letter(path: Path, size: int) -> Path:
    """Write a one-page PDF, about 1 kB larger than ``size``. An attachment of noise makes it incompressible."""
    pdf = new_letter(1)
    pdf.attachments["noise.bin"] = AttachedFileSpec(pdf, random.Random(1).randbytes(size))
    pdf.save(path)
    return path


def new_letter(pages: int) -> Pdf:
    """Return a letter of pages full of text."""
    pdf = Pdf.new()
    font = pdf.make_indirect(Dictionary(Type=Name.Font, Subtype=Name.Type1, BaseFont=Name.Helvetica))
    for _ in range(pages):
        page = pdf.add_blank_page(page_size=_A4_POINTS)
        page.Resources = Dictionary(Font=Dictionary(F1=font))
        page.Contents = pdf.make_stream(f"BT /F1 12 Tf 14 TL 72 770 Td {_LINE * 48} ET".encode())
    return pdf
