"""Documents: looked at before they are taken, and served under addresses that only we can have made."""

import hmac
import io
import re
from collections.abc import AsyncIterator, Iterable

from anyio import to_thread

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
    "sign",
    "take_document",
]

#: the provider's limit of one file
LARGEST_BYTES = 20_000_000
#: PDF readers look for the header in the first, and for the end mark in the last kilobyte (ISO 32000-1, annex H.3.4)
_HEADER_WITHIN, _END_WITHIN = 1024, 2048
#: path below our public address; the route starts with it too
DOCUMENT_PATH = "/documents"
_SHA256 = re.compile(r"[0-9a-f]{64}")


async def take_document(store: Store, content: bytes, name: str) -> DocumentInfo:
    """Store a PDF once, whatever its name. Raises TooLarge, Unreadable, StoreFull."""
    if len(content) > LARGEST_BYTES:
        raise TooLarge(f"the document has {len(content):,} bytes; the provider takes {LARGEST_BYTES:,} at most")
    pages = await to_thread.run_sync(count_pages, content)
    return await store.documents.put(content, name, pages)


async def find_document(store: Store, sha256: str) -> DocumentInfo:
    """Raises Missing."""
    info = await store.documents.info(sha256) if _SHA256.fullmatch(sha256) else None
    if info is None:
        raise Missing(f"there is no document {sha256}")
    return info


def count_pages(content: bytes) -> int:
    """Pages of a PDF. Raises Unreadable with a sentence that says what is wrong with it."""
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
    from pypdf import PdfReader  # late: workers, who sign addresses, have no use for it

    try:
        reader = PdfReader(io.BytesIO(content))
        encrypted = reader.is_encrypted
        # every page is touched: a count alone would not notice a page tree with holes
        pages = 0 if encrypted else sum(1 for page in reader.pages if page.mediabox)
    except Exception as error:  # the reader fails on damage in many ways that mean the same to the sender
        raise Unreadable("the PDF is damaged: open it and export it again") from error
    if encrypted:
        raise Unreadable("the PDF is encrypted: remove its password first")
    return pages


def sign(key: bytes, sha256: str, expires_s: int) -> str:
    """HMAC-SHA256 (hex) over a document and the second since 1970 until which it may be fetched."""
    return hmac.digest(key, f"document {sha256} {expires_s}".encode(), "sha256").hex()


def document_url(public_url: str, sha256: str, expires_s: int, key: bytes) -> str:
    """An address that needs no API key until ``expires_s``, for the provider's ``contentUrl``."""
    return f"{public_url}{DOCUMENT_PATH}/{sha256}?expires={expires_s}&signature={sign(key, sha256, expires_s)}"


async def open_document(
    store: Store, keys: Iterable[bytes], sha256: str, *, expires_s: int, signature: str, now_s: float
) -> tuple[DocumentInfo, AsyncIterator[bytes]]:
    """The content of a document, in chunks, for a signed address. Raises Forged and Missing."""
    offered = signature.encode("utf-8", "replace")
    made = [hmac.compare_digest(sign(key, sha256, expires_s).encode(), offered) for key in keys]
    if not any(made):
        raise Forged("this address was not made by us")
    if expires_s < now_s:
        raise Forged("this address has expired")
    info = await find_document(store, sha256)
    return info, store.documents.chunks(sha256)
