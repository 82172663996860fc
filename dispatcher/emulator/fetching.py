"""Fetches documents that are named by URL; the same URL at the same time is fetched once."""

import asyncio
import time
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from dispatcher.emulator.documents import Document, Documents
from dispatcher.emulator.outbound import Outbound, UnreachableError

#: How long fetched content is used again: a mailing names one URL for all of its faxes.
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
#: Documented conversion errors: URL not reachable; bad data behind it.
NOT_REACHABLE = 54
BAD_DATA = 55


class FetchError(Exception):
    """A content URL that gave no document; `code` is the conversion error that follows."""

    def __init__(self, code: int) -> None:
        super().__init__(f"conversion error {code}")
        self.code = code


class Fetcher:
    """Turns URLs into documents. With `enabled` false each URL stands for one blank page."""

    def __init__(self, documents: Documents, outbound: Outbound, *, enabled: bool) -> None:
        self._documents = documents
        self._outbound = outbound
        self._enabled = enabled
        self._running: dict[str, asyncio.Task[Document]] = {}
        self._known: dict[str, tuple[float, Document]] = {}

    async def get(self, url: str) -> Document:
        """The document behind `url`; raises FetchError."""
        if not self._enabled:
            return self._documents.blank(1)
        known = self._known.get(url)
        if known is not None and known[0] > time.monotonic():
            return known[1]
        task = self._running.get(url)
        if task is None:
            task = self._running[url] = asyncio.get_running_loop().create_task(self._fetch(url))
            task.add_done_callback(lambda _: self._running.pop(url, None))
        return await asyncio.shield(task)

    async def _fetch(self, url: str) -> Document:
        try:
            answer = await self._outbound.request("GET", url, timeout_s=_TIMEOUT_S)
        except UnreachableError as error:
            raise FetchError(NOT_REACHABLE) from error
        if answer.status != 200:
            raise FetchError(NOT_REACHABLE)
        try:
            document = self._documents.from_bytes(answer.body, _file_type(url, answer.content_type))
        except (ValueError, OverflowError) as error:
            raise FetchError(BAD_DATA) from error
        self._known[url] = (time.monotonic() + _FRESH_S, document)
        return document


def _file_type(url: str, content_type: str) -> str:
    """From the content type, else from the path's extension; XML by content type is refused later."""
    known = _BY_CONTENT_TYPE.get(content_type.partition(";")[0].strip().lower())
    return known or PurePosixPath(urlsplit(url).path).suffix.lstrip(".").upper() or "PDF"
