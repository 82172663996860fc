"""Writes a PDF document of a chosen size."""

import random
from pathlib import Path

from pypdf import PdfWriter

_A4_POINTS = (595, 842)


def write_letter(path: Path, size: int) -> Path:
    """Write a one-page PDF, about 1 kB larger than ``size``. An attachment of noise makes it incompressible."""
    writer = PdfWriter()
    writer.add_blank_page(*_A4_POINTS)
    writer.add_attachment("noise.bin", random.Random(1).randbytes(size))
    writer.write(path)
    return path
