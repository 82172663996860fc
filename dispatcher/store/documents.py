"""Documents: stored once by their SHA-256, in chunks, under a total cap."""

import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from dispatcher.store.client import Client
from dispatcher.store.errors import StoreFull, translated
from dispatcher.store.lua import Scripts

#: bytes; small enough that one chunk never holds up the server
CHUNK = 256 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentInfo:
    sha256: str
    size: int
    pages: int
    name: str
    created_ms: int


class Documents:
    def __init__(self, client: Client, scripts: Scripts, max_bytes: int) -> None:
        self._client = client
        self._scripts = scripts
        self._keys = scripts.keys
        self._max_bytes = max_bytes

    async def put(self, content: bytes, name: str, pages: int) -> DocumentInfo:
        """Store a document, or find that it is there already. Raises StoreFull when all documents together would
        be larger than the cap."""
        sha256 = hashlib.sha256(content).hexdigest()
        found = await self.info(sha256)
        if found:
            await self._scripts.accept("move_epoch")
            return found
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
        # One transaction: a document is there whole or not at all. Nothing is added up, so that it can be repeated.
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
        """The content piece by piece; nothing when there is no such document."""
        at = 0
        while True:
            with translated():
                chunk = await self._client.lindex(self._keys.chunks(sha256), at)
            if chunk is None:
                return
            yield chunk
            at += 1

    async def content(self, sha256: str) -> bytes | None:
        with translated():
            chunks = await self._client.lrange(self._keys.chunks(sha256), 0, -1)
        return b"".join(chunks) if chunks else None
