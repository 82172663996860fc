"""Uploaded documents: checked before they are stored, and served at signed URLs that expire."""

import io
import re
from collections.abc import AsyncIterator, Iterable

from anyio import to_thread

from dispatcher.core.signatures import Purpose, sign, verify
from dispatcher.service.errors import Forged, Missing, TooLarge, Unreadable
from dispatcher.store.documents import DocumentInfo
from dispatcher.store.store import Store

__all__ = [
    "DOCUMENT_PATH",
    "LARGEST_BYTES",
    "DocumentInfo",
    "count_pages",
    "document_url",
    "find_document",
    "open_document",
    "take_document",
]

#: the provider's limit for one file
LARGEST_BYTES = 20_000_000
#: bytes in which to look for header and end mark. PDF readers look for the header in the first kilobyte, and for the
#: end mark in the last (ISO 32000-1, annex H.3.4)
_HEADER_WITHIN, _END_WITHIN = 1024, 2048
#: path below the public URL; the route starts with it too
DOCUMENT_PATH = "/documents"
_SHA256 = re.compile(r"[0-9a-f]{64}")


async def take_document(store: Store, content: bytes, name: str) -> DocumentInfo:
    """Store a PDF. The same content is stored once, whatever its name. Raises TooLarge, Unreadable and StoreFull."""
    if len(content) > LARGEST_BYTES:
        raise TooLarge(f"the document has {len(content):,} bytes; the provider takes {LARGEST_BYTES:,} at most")
    pages = await to_thread.run_sync(count_pages, content)
    return await store.documents.put(content, name, pages)


async def find_document(store: Store, sha256: str) -> DocumentInfo:
    """Return what is known of a document. Raises Missing."""
    info = await store.documents.info(sha256) if _SHA256.fullmatch(sha256) else None
    if info is None:
        raise Missing(f"there is no document {sha256}")
    return info


def count_pages(content: bytes) -> int:
    """Return the number of pages of a PDF. Raises Unreadable with a sentence that says what is wrong with it."""
    if not content:
        raise Unreadable("the document is empty: was the file's path right?")
    if b"%PDF-" not in content[:_HEADER_WITHIN]:
        raise Unreadable("the document is not a PDF: export it as PDF first")
    if b"%%EOF" not in content[-_END_WITHIN:]:
        raise Unreadable("the PDF is cut off, its end is missing: upload it again")
    pages = _pages(content)
    if not pages:
        raise Unreadable("the PDF has no pages")
    return pages


def _pages(content: bytes) -> int:
    from pypdf import PdfReader  # imported late: workers, which only sign URLs, do not need it

    try:
        reader = PdfReader(io.BytesIO(content))
        encrypted = reader.is_encrypted
        # reads every page: a count alone would not notice a page tree with gaps
        pages = 0 if encrypted else sum(1 for page in reader.pages if page.mediabox)
    except Exception as error:  # pypdf raises many kinds of errors for damaged files
        raise Unreadable("the PDF is damaged: open it and export it again") from error
    if encrypted:
        raise Unreadable("the PDF is encrypted: remove its password first")
    return pages


def document_url(public_url: str, sha256: str, expires_s: int, key: bytes) -> str:
    """Return a URL that works without an API key until ``expires_s`` (seconds since 1970), for ``contentUrl``."""
    signature = sign(Purpose.DOCUMENT, key, sha256, expires_s)
    return f"{public_url}{DOCUMENT_PATH}/{sha256}?expires={expires_s}&signature={signature}"


async def open_document(
    store: Store, keys: Iterable[bytes], sha256: str, *, expires_s: int, signature: str, now_s: float
) -> tuple[DocumentInfo, AsyncIterator[bytes]]:
    """Return the content of a document, in chunks, for a signed URL.

    Raises:
        Forged: The signature is wrong, or the URL has expired.
        Missing: There is no such document.
    """
    if not verify(Purpose.DOCUMENT, keys, signature, sha256, expires_s):
        raise Forged("the signature of this URL is wrong")
    if expires_s < now_s:
        raise Forged("this URL has expired")
    info = await find_document(store, sha256)
    return info, store.documents.chunks(sha256)
