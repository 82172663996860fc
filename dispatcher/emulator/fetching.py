"""Fetches documents from content URLs.

Concurrent requests for a URL share one fetch.
"""

import asyncio
import time
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from dispatcher.emulator.documents import Document, Documents
from dispatcher.emulator.outbound import OutboundClient, UnreachableError

#: how long fetched content is reused; all faxes of a mailing name the same URL
_FRESH_S = 60.0
_TIMEOUT_S = 30.0
_BY_CONTENT_TYPE = {
    "application/pdf": "PDF",
    "image/png": "PNG",
    "image/jpeg": "JPG",
    "image/tiff": "TIF",
    "text/plain": "TXT",
    "text/html": "HTML",
    "application/xml": "XML",
    "text/xml": "XML",
}
#: documented conversion errors: the URL is not reachable; the URL holds bad data
NOT_REACHABLE = 54
BAD_DATA = 55


class FetchError(Exception):
    """A content URL yielded no document; ``code`` is the resulting conversion error."""

    def __init__(self, code: int) -> None:
        super().__init__(f"conversion error {code}")
        self.code = code


class Fetcher:
    """Fetches the documents of content URLs.

    If not ``enabled``, each URL yields one blank page.
    """

    def __init__(self, documents: Documents, outbound: OutboundClient, *, enabled: bool) -> None:
        self._documents = documents
        self._outbound = outbound
        self._enabled = enabled
        self._running: dict[str, asyncio.Task[Document]] = {}
        self._cache: dict[str, tuple[float, Document]] = {}

    async def get(self, url: str) -> Document:
        """Return the document at ``url``.

        Raises:
            FetchError: the URL yields no document.
        """
        if not self._enabled:
            return self._documents.blank(1)
        expiry_s, document = self._cache.get(url, (0.0, None))
        if document is not None and expiry_s > time.monotonic():
            return document
        task = self._running.get(url)
        if task is None:
            task = self._running[url] = asyncio.get_running_loop().create_task(self._fetch(url))
            task.add_done_callback(lambda _: self._running.pop(url, None))
        return await asyncio.shield(task)

    async def _fetch(self, url: str) -> Document:
        try:
            response = await self._outbound.request("GET", url, timeout_s=_TIMEOUT_S)
        except UnreachableError as error:
            raise FetchError(NOT_REACHABLE) from error
        if response.status != 200:
            raise FetchError(NOT_REACHABLE)
        try:
            document = self._documents.from_bytes(response.body, _file_type(url, response.content_type))
        except (ValueError, OverflowError) as error:
            raise FetchError(BAD_DATA) from error
        self._cache[url] = (time.monotonic() + _FRESH_S, document)
        return document


def _file_type(url: str, content_type: str) -> str:
    """Return the file type by the content type, or else by the extension of the path."""
    file_type = _BY_CONTENT_TYPE.get(content_type.partition(";")[0].strip().lower())
    return file_type or PurePosixPath(urlsplit(url).path).suffix.lstrip(".").upper() or "PDF"
