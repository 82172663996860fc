"""Stores documents by their SHA-256, in chunks, up to a maximum total size."""

import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from dispatcher.cpu_thread import on_cpu_thread
from dispatcher.store.client import Client
from dispatcher.store.errors import StoreFull, translated
from dispatcher.store.lua import Scripts

#: bytes of a chunk; small enough that reading one does not delay other commands
CHUNK = 256 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentInfo:
    sha256: str
    size: int
    pages: int
    name: str
    created_ms: int


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class Documents:
    def __init__(self, client: Client, scripts: Scripts, max_bytes: int) -> None:
        self._client = client
        self._scripts = scripts
        self._keys = scripts.keys
        self._max_bytes = max_bytes

    async def put(self, content: bytes, name: str, pages: int) -> DocumentInfo:
        """Store a document unless it exists already.

        Raises:
            StoreFull: All documents together would exceed the maximum size."""
        sha256 = await on_cpu_thread(_sha256, content)
        stored = await self.info(sha256)
        if stored:
            await self._scripts.accept("move_epoch")
            return stored
        with translated():
            seconds, micros = await self._client.time()
            created_ms = int(seconds) * 1000 + int(micros) // 1000
            info = DocumentInfo(sha256=sha256, size=len(content), pages=pages, name=name, created_ms=created_ms)
            used = sum(map(int, await self._client.hvals(self._keys.documents)))
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
                mapping={"name": info.name, "size": info.size, "pages": info.pages, "created_ms": info.created_ms},
            )
            pipe.hset(self._keys.documents, info.sha256, info.size)
            await pipe.execute()

    async def info(self, sha256: str) -> DocumentInfo | None:
        with translated():
            size, pages, name, created = await self._client.hmget(
                self._keys.document(sha256), "size", "pages", "name", "created_ms"
            )
        if size is None:
            return None
        return DocumentInfo(
            sha256=sha256, size=int(size), pages=int(pages), name=name.decode(), created_ms=int(created)
        )

    async def chunks(self, sha256: str) -> AsyncIterator[bytes]:
        """Yield the content in chunks; nothing if the document does not exist."""
        index = 0
        while True:
            with translated():
                chunk = await self._client.lindex(self._keys.chunks(sha256), index)
            if chunk is None:
                return
            yield chunk
            index += 1

    async def content(self, sha256: str) -> bytes | None:
        with translated():
            chunks = await self._client.lrange(self._keys.chunks(sha256), 0, -1)
        return b"".join(chunks) if chunks else None
