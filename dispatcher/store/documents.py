"""Stores documents by their SHA-256, in chunks, up to a maximum total size."""

import hashlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

from dispatcher.cpu_thread import on_cpu_thread
from dispatcher.store.client import Client
from dispatcher.store.decoding import decoding, finite, readable, whole
from dispatcher.store.errors import StoreFull, UnreadableData, translated
from dispatcher.store.lua import Scripts
from dispatcher.store.protocol import DocumentDeletionWord

#: bytes of a chunk; small enough that reading one does not delay other commands
CHUNK = 256 * 1024
#: batches that are named among those that need a document
_NAMED_BATCHES = 10
_DAMAGED = "the content does not have the SHA-256 of the document"


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentWarning:
    """What may be unwanted about how a document looks; ``page`` is 0 if it concerns all of it."""

    code: str
    page: int
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentInfo:
    sha256: str
    size: int
    pages: int
    name: str
    created_ms: int
    #: documents that were checked by earlier versions have none
    warnings: tuple[DocumentWarning, ...] = ()
    #: least seconds that a call takes for all pages; 0 if it is not known
    sending_s: float = 0.0


def _seen(info: DocumentInfo) -> dict[str, str | float]:
    """Return the fields of what the check has seen of the pages."""
    warnings = [[warning.code, warning.page, warning.sentence] for warning in info.warnings]
    return {"warnings": json.dumps(warnings), "sending_s": info.sending_s}


def _read(text: bytes) -> tuple[DocumentWarning, ...]:
    return tuple(
        DocumentWarning(code=str(code), page=whole(page), sentence=str(sentence))
        for code, page, sentence in json.loads(text)
    )


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentDeletion:
    """Whether a document was deleted, and which batches need it: how many, and some of them."""

    word: DocumentDeletionWord
    needed_by: int = 0
    batches: tuple[str, ...] = ()


class Documents:
    def __init__(self, client: Client, scripts: Scripts, max_bytes: int) -> None:
        self._client = client
        self._scripts = scripts
        self._keys = scripts.keys
        self._max_bytes = max_bytes

    async def put(
        self,
        content: bytes,
        name: str,
        pages: int,
        *,
        warnings: tuple[DocumentWarning, ...] = (),
        sending_s: float = 0.0,
    ) -> DocumentInfo:
        """Store a document. If it exists already, only what the check has seen of its pages is replaced.

        Raises:
            StoreFull: All documents together would exceed the maximum size."""
        sha256 = await on_cpu_thread(_sha256, content)
        stored = await self.info(sha256)
        if stored:
            seen = replace(stored, warnings=warnings, sending_s=sending_s)
            fields = [item for field in _seen(seen).items() for item in field]
            # it may have been deleted meanwhile, and is stored anew then
            if await self._scripts.accept("touch_document", *fields, sha256=sha256):
                return seen
        with translated():
            seconds, micros = await self._client.time()
            created_ms = int(seconds) * 1000 + int(micros) // 1000
            info = DocumentInfo(
                sha256=sha256,
                size=len(content),
                pages=pages,
                name=name,
                created_ms=created_ms,
                warnings=warnings,
                sending_s=sending_s,
            )
            used = sum(readable(self._keys.documents, await self._client.hvals(self._keys.documents), whole))
            if used + len(content) > self._max_bytes:
                raise StoreFull(
                    f"all documents together may have {self._max_bytes:,} bytes and {used:,} are used; "
                    "raise BULKFAX_DOCUMENTS_MAX_BYTES"
                )
            await self._write(info, content)
        await self._scripts.accept("move_epoch")
        return info

    async def _write(self, info: DocumentInfo, content: bytes) -> None:
        # One transaction, so that a document is stored completely or not at all; repeating it changes nothing.
        async with self._client.pipeline(transaction=True) as pipe:
            pipe.delete(self._keys.chunks(info.sha256))
            for start in range(0, len(content), CHUNK):
                pipe.rpush(self._keys.chunks(info.sha256), content[start : start + CHUNK])
            pipe.hset(
                self._keys.document(info.sha256),
                mapping={
                    "name": info.name,
                    "size": info.size,
                    "pages": info.pages,
                    "created_ms": info.created_ms,
                    **_seen(info),
                },
            )
            pipe.hset(self._keys.documents, info.sha256, info.size)
            pipe.zadd(self._keys.documents_used, {info.sha256: info.created_ms})
            await pipe.execute()

    async def delete(self, sha256: str, *, unused_ms: int = 0) -> DocumentDeletion:
        """Delete a document, unless batches that have not ended need it or it was used within ``unused_ms``."""
        word, *more = await self._scripts.accept(
            "delete_document", sha256=sha256, unused_ms=unused_ms, named=_NAMED_BATCHES
        )
        return DocumentDeletion(
            word=DocumentDeletionWord(word.decode()),
            needed_by=int(more[0]) if more else 0,
            batches=tuple(sorted(name.decode(errors="replace") for name in more[1:])),
        )

    async def info(self, sha256: str) -> DocumentInfo | None:
        """Return the facts about a document; None if there is no such document. Raises UnreadableData."""
        key = self._keys.document(sha256)
        with translated():
            size, pages, name, created, warnings, sending = await self._client.hmget(
                key, "size", "pages", "name", "created_ms", "warnings", "sending_s"
            )
            exists = size is not None or await self._client.exists(key)
        if not exists:
            return None
        with decoding(key):
            return DocumentInfo(
                sha256=sha256,
                size=whole(size),
                pages=whole(pages),
                name=name.decode(),
                created_ms=whole(created),
                warnings=_read(warnings) if warnings else (),
                sending_s=finite(sending) if sending else 0.0,
            )

    async def chunks(self, sha256: str) -> AsyncIterator[bytes]:
        """Yield the content in chunks; nothing if the document does not exist.

        Raises UnreadableData before the last chunk if it is not the content that was uploaded.
        """
        key, index, digest, last = self._keys.chunks(sha256), 0, hashlib.sha256(), b""
        while True:
            with translated():
                chunk = await self._client.lindex(key, index)
            if chunk is None:
                break
            if last:
                yield last
            digest.update(chunk)
            index, last = index + 1, chunk
        if index and digest.hexdigest() != sha256:
            raise UnreadableData(key, _DAMAGED)
        if last:
            yield last

    async def content(self, sha256: str) -> bytes | None:
        """Return the content of a document; None if there is no such document.

        Raises UnreadableData if it is not the content that was uploaded: another letter would be sent.
        """
        key = self._keys.chunks(sha256)
        with translated():
            chunks = await self._client.lrange(key, 0, -1)
        content = b"".join(chunks)
        if chunks and await on_cpu_thread(_sha256, content) != sha256:
            raise UnreadableData(key, _DAMAGED)
        return content if chunks else None
