"""A document of a wanted size."""

import random
from pathlib import Path

from pypdf import PdfWriter

_A4_POINTS = (595, 842)


def write_letter(path: Path, size: int) -> Path:
    """One page with an attachment of noise, so that nothing on the way can shrink it: some 1 kB more than ``size``."""
    writer = PdfWriter()
    writer.add_blank_page(*_A4_POINTS)
    writer.add_attachment("noise.bin", random.Random(1).randbytes(size))
    writer.write(path)
    return path
