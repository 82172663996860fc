"""The documents that requests carry.

Equal content is stored once and inspected once.
"""

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import blake2b, sha256
from io import BytesIO

from pikepdf import Pdf

#: the provider's limit for one file, from the documentation of its command-line tool
MAX_FILE_BYTES = 20 * 1024 * 1024
FILE_TYPES = ("PDF", "DOC", "DOCX", "ODT", "TIF", "TIFF", "JPG", "JPEG", "PNG", "TXT", "HTML")
#: documented conversion error for a file that is not a PDF
NOT_A_PDF = 133
_LINES_PER_PAGE = 60
_A4_POINTS = (595, 842)
_PAGE_OBJECT = re.compile(rb"/Type\s*/Page\b")


@dataclass(frozen=True, kw_only=True, eq=False)
class Document:
    """The content of a file: bytes, type in capitals, number of pages, and the conversion error it causes, if any."""

    sha256: str
    file_type: str
    data: bytes
    pages: int
    error_code: int | None = None

    @cached_property
    def base64(self) -> bytes:
        """The content in base64, encoded once."""
        return base64.b64encode(self.data)


class Documents:
    """All documents by hash, in memory."""

    def __init__(self) -> None:
        self._by_sha: dict[tuple[str, str], Document] = {}
        self._by_text: dict[bytes, Document] = {}
        self._merged: dict[tuple[str, ...], Document] = {}

    def from_base64(self, text: str, file_type: str) -> Document:
        """Return the document with this base64 content.

        The text is decoded and inspected only the first time.

        Raises:
            ValueError: the text is not base64 or the content is empty.
            OverflowError: the content is too large.
        """
        key = blake2b(text.encode("utf-8", "replace") + file_type.encode(), digest_size=16).digest()
        document = self._by_text.get(key)
        if document is None:
            document = self._by_text[key] = self.from_bytes(_decode(text), file_type)
        return document

    def from_bytes(self, data: bytes, file_type: str) -> Document:
        """Return the document with this content.

        Raises:
            ValueError: the content is empty.
            OverflowError: the content is too large.
        """
        if not data:
            raise ValueError("is empty")
        if len(data) > MAX_FILE_BYTES:
            raise OverflowError(f"is larger than {MAX_FILE_BYTES} bytes")
        digest = sha256(data).hexdigest()
        document = self._by_sha.get((digest, file_type))
        if document is None:
            document = self._by_sha[digest, file_type] = _inspect(digest, data, file_type)
        return document

    def blank(self, pages: int) -> Document:
        """Return a text document with this number of blank pages."""
        return self.from_bytes(b"\n" * (pages * _LINES_PER_PAGE - 1), "TXT")

    def merged(self, parts: Sequence[Document]) -> Document:
        """Return the PDF of a fax that consists of these documents, in this order."""
        if len(parts) == 1 and parts[0].file_type == "PDF":
            return parts[0]
        key = tuple(part.sha256 + part.file_type for part in parts)
        document = self._merged.get(key)
        if document is None:
            document = self._merged[key] = _merge(parts)
        return document


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("is not base64") from None


def _inspect(digest: str, data: bytes, file_type: str) -> Document:
    pages, error = 1, None
    if file_type == "PDF":
        pages, error = _pdf_pages(data)
    elif file_type == "TXT":
        pages = -(-(data.count(b"\n") + 1) // _LINES_PER_PAGE)
    elif file_type == "XML":
        error = 130
    elif file_type not in FILE_TYPES:
        error = 129
    return Document(sha256=digest, file_type=file_type, data=data, pages=pages, error_code=error)


def _pdf_pages(data: bytes) -> tuple[int, int | None]:
    """Return the number of pages and the conversion error.

    A PDF that cannot be read counts at least one page.
    """
    if b"%PDF-" not in data[:1024]:
        return 1, NOT_A_PDF
    try:
        with Pdf.open(BytesIO(data)) as pdf:
            return max(len(pdf.pages), 1), None
    except Exception:  # noqa: BLE001 - there are many kinds of damage
        return max(len(_PAGE_OBJECT.findall(data)), 1), None


def _merge(parts: Sequence[Document]) -> Document:
    """Merge documents into one PDF.

    A document that cannot be read as a PDF becomes blank pages.
    """
    pages = sum(part.pages for part in parts)
    try:
        data = _write_pdf(parts)
    except Exception:  # noqa: BLE001 - as above
        data = _write_pdf([replace(part, file_type="") for part in parts])
    error = next((part.error_code for part in parts if part.error_code is not None), None)
    return Document(sha256=sha256(data).hexdigest(), file_type="PDF", data=data, pages=pages, error_code=error)


def _write_pdf(parts: Sequence[Document]) -> bytes:
    pdf, out = Pdf.new(), BytesIO()
    for part in parts:
        if part.file_type == "PDF":
            pdf.pages.extend(Pdf.open(BytesIO(part.data)).pages)
        else:
            for _ in range(part.pages):
                pdf.add_blank_page(page_size=_A4_POINTS)
    pdf.save(out)
    return out.getvalue()
