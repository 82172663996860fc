"""Uploaded documents: checked before they are stored, and served at signed URLs that expire."""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Iterable
from math import inf
from typing import IO, Any

from dispatcher.child_process.runner import ChildFailed, ChildLimits, ChildProcesses, Ending
from dispatcher.core.batch import Definition
from dispatcher.core.signatures import Purpose, sign, verify
from dispatcher.cpu_thread import on_cpu_thread
from dispatcher.service.errors import Forged, Missing, TooLarge, Unreadable
from dispatcher.store.documents import DocumentInfo, DocumentWarning
from dispatcher.store.store import Store

__all__ = [
    "DOCUMENT_PATH",
    "LARGEST_BYTES",
    "DocumentInfo",
    "DocumentIntake",
    "DocumentWarning",
    "document_url",
    "find_document",
    "open_document",
    "open_part",
    "warnings_to_allow",
]

#: the provider's limit for one file
LARGEST_BYTES = 20_000_000
#: documents that are in memory at the same time, to be stored; each takes up to 60 MB
DOCUMENTS_AT_ONCE = 1
#: path below the public URL; the route starts with it too
DOCUMENT_PATH = "/documents"
_SHA256 = re.compile(r"[0-9a-f]{64}")
_CHECK = "dispatcher.documents.check"
_LIMITS = ChildLimits()
#: why a check ended without a result
_NO_RESULT = {
    Ending.TIME: f"checking the PDF takes longer than {_LIMITS.seconds} s",
    Ending.MEMORY: f"checking the PDF takes more than {_LIMITS.memory_bytes // 2**20} MB of memory",
    Ending.OUTPUT: "the PDF has more faults than can be listed",
    Ending.CRASH: "the PDF ends every program that reads it, or takes all memory",
}


class DocumentIntake:
    """Takes uploaded documents, after a check in a child process."""

    def __init__(
        self, store: Store, processes: ChildProcesses, *, max_pages: int, longest_sending_s: float = inf
    ) -> None:
        self._store = store
        self._processes = processes
        self._limits = (str(max_pages), str(longest_sending_s))
        self._storing = asyncio.Semaphore(DOCUMENTS_AT_ONCE)

    async def take(self, file: IO[bytes], name: str) -> DocumentInfo:
        """Store a PDF. The same content is stored once, whatever its name.

        Raises:
            TooLarge: The provider takes no file of that size.
            Unreadable: The document cannot be faxed as it was meant. The text says why.
            StoreFull: There is no room for it.
        """
        size = file.seek(0, os.SEEK_END)
        if size > LARGEST_BYTES:
            raise TooLarge(f"the document has {size:,} bytes; the provider takes {LARGEST_BYTES:,} at most")
        seen = await self._checked(file)
        warnings = tuple(DocumentWarning(**warning) for warning in seen["warnings"])
        async with self._storing:
            file.seek(0)
            content = await on_cpu_thread(file.read)
            return await self._store.documents.put(
                content, name, seen["pages"], warnings=warnings, sending_s=seen["sending_s"]
            )

    async def _checked(self, file: IO[bytes]) -> dict[str, Any]:
        try:
            answer = await self._processes.answer(_CHECK, file, *self._limits, limits=_LIMITS)
        except ChildFailed as failure:
            raise Unreadable(f"{_NO_RESULT[failure.ending]}: print it to a new PDF") from failure
        if "refusal" in answer:
            raise Unreadable(answer["refusal"])
        return answer


async def warnings_to_allow(store: Store, definition: Definition) -> list[tuple[int, DocumentWarning]]:
    """Return the warnings that a start has to be allowed, with the positions of their documents.

    Documents that the parent of a rerun has sent need no permission again.
    """
    parent = await store.batches.definition(definition.parent) if definition.parent else None
    if parent is not None and parent.documents == definition.documents:
        return []
    infos = [await store.documents.info(sha256) for sha256 in definition.documents]
    return [(position, warning) for position, info in enumerate(infos) if info for warning in info.warnings]


async def find_document(store: Store, sha256: str) -> DocumentInfo:
    """Return what is known of a document. Raises Missing."""
    info = await store.documents.info(sha256) if _SHA256.fullmatch(sha256) else None
    if info is None:
        raise Missing(f"there is no document {sha256}")
    return info


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


async def open_part(store: Store, sha256: str, part: range) -> AsyncIterator[bytes]:
    """Return some bytes of a document, in chunks.

    Raises UnreadableData, here or before the last chunk, if the document is not the one that was uploaded. All of it is
    read to know that.
    """
    pieces = _part(store.documents.chunks(sha256), part)
    return _continued(await anext(pieces), pieces)


async def _part(chunks: AsyncIterator[bytes], part: range) -> AsyncIterator[bytes]:
    """Yield a part of what the chunks are together; its last piece when all chunks have been read."""
    position, last = 0, b""
    async for chunk in chunks:
        piece = chunk[max(part.start - position, 0) : max(part.stop - position, 0)]
        position += len(chunk)
        if piece and last:
            yield last
        last = piece or last
    yield last


async def _continued(first: bytes, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for piece in pieces:
        yield piece
