"""The documents that came with sends: each content is kept once and looked into once."""

import base64
import binascii
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import blake2b, sha256
from io import BytesIO

from pypdf import PdfReader, PdfWriter

# A damaged PDF is an ordinary input here, not an event for the log.
logging.getLogger("pypdf").setLevel(logging.CRITICAL)

#: The provider's cap for one file, from its command line's page.
MAX_FILE_BYTES = 20 * 1024 * 1024
FILE_TYPES = ("PDF", "DOC", "DOCX", "ODT", "TIF", "TIFF", "JPG", "JPEG", "PNG", "TXT", "HTML")
#: Documented conversion error for a PDF that is none.
NOT_NORMALISED = 133
_LINES_PER_PAGE = 60
_A4_POINTS = (595, 842)
_PAGE_OBJECT = re.compile(rb"/Type\s*/Page\b")


@dataclass(frozen=True, kw_only=True, eq=False)
class Document:
    """One content: bytes, file type in capitals, pages, and the conversion error it leads to, if any."""

    sha256: str
    file_type: str
    data: bytes
    pages: int
    error_code: int | None = None

    @cached_property
    def base64(self) -> bytes:
        return base64.b64encode(self.data)


class Documents:
    """All contents by hash. Lives in memory as long as the emulator."""

    def __init__(self) -> None:
        self._by_sha: dict[tuple[str, str], Document] = {}
        self._by_text: dict[bytes, Document] = {}
        self._merged: dict[tuple[str, ...], Document] = {}

    def from_base64(self, text: str, file_type: str) -> Document:
        """Take base64 text; decoded and looked into only the first time.

        Raises:
            ValueError: it is not base64, empty, or too large.
        """
        key = blake2b(text.encode("utf-8", "replace") + file_type.encode(), digest_size=16).digest()
        found = self._by_text.get(key)
        if found is None:
            found = self._by_text[key] = self.from_bytes(_decoded(text), file_type)
        return found

    def from_bytes(self, data: bytes, file_type: str) -> Document:
        """Take the bytes of a file. Raises ValueError if empty or too large."""
        if not data:
            raise ValueError("is empty")
        if len(data) > MAX_FILE_BYTES:
            raise OverflowError(f"is larger than {MAX_FILE_BYTES} bytes")
        digest = sha256(data).hexdigest()
        found = self._by_sha.get((digest, file_type))
        if found is None:
            found = self._by_sha[digest, file_type] = _looked_into(digest, data, file_type)
        return found

    def blank(self, pages: int) -> Document:
        """A text of so many pages with nothing on them."""
        return self.from_bytes(b"\n" * (pages * _LINES_PER_PAGE - 1), "TXT")

    def merged(self, parts: Sequence[Document]) -> Document:
        """The PDF of a fax that has these documents, in this order."""
        if len(parts) == 1 and parts[0].file_type == "PDF":
            return parts[0]
        key = tuple(part.sha256 + part.file_type for part in parts)
        found = self._merged.get(key)
        if found is None:
            found = self._merged[key] = _merge(parts)
        return found


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("is not base64") from None


def _looked_into(digest: str, data: bytes, file_type: str) -> Document:
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
    """Pages and conversion error; a PDF that only looks damaged to our reader still counts one page."""
    if b"%PDF-" not in data[:1024]:
        return 1, NOT_NORMALISED
    try:
        return max(len(PdfReader(BytesIO(data)).pages), 1), None
    except Exception:  # noqa: BLE001 - bytes from anyone make the reader fail in any way
        return max(len(_PAGE_OBJECT.findall(data)), 1), None


def _merge(parts: Sequence[Document]) -> Document:
    """One PDF of all parts; what cannot be read as PDF becomes blank pages."""
    pages = sum(part.pages for part in parts)
    try:
        data = _written(parts)
    except Exception:  # noqa: BLE001 - as above
        data = _written([replace(part, file_type="") for part in parts])
    error = next((part.error_code for part in parts if part.error_code is not None), None)
    return Document(sha256=sha256(data).hexdigest(), file_type="PDF", data=data, pages=pages, error_code=error)


def _written(parts: Sequence[Document]) -> bytes:
    writer = PdfWriter()
    for part in parts:
        if part.file_type == "PDF":
            writer.append(BytesIO(part.data))
        else:
            for _ in range(part.pages):
                writer.add_blank_page(*_A4_POINTS)
    out = BytesIO()
    writer.write(out)
    return out.getvalue()
