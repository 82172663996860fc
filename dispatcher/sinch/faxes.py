"""Faxes as people and tools use them: whole objects, every filter, exports and contents.

The dispatcher itself needs less and calls ``FaxClient.send``, ``fax`` and ``list_page``.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from dispatcher.sinch.coerce import json_object
from dispatcher.sinch.errors import NotFoundError, UnreadableError
from dispatcher.sinch.http import CALL_S, TRANSFER_S, Call, SinchHttp, get, segment
from dispatcher.sinch.models import Fax, read_answer, read_resource
from dispatcher.sinch.order import FaxOrder, json_body, multipart_body
from dispatcher.sinch.paging import Page, read_list, walk
from dispatcher.sinch.wire import FaxQuery

#: what the provider lists when no time is asked for
DEFAULT_WINDOW_MS = 7 * 24 * 3600 * 1000
#: how far our clock may be behind the provider's
_CLOCK_MARGIN_MS = 60_000
#: statuses that a fax never leaves; a list filtered by another one shrinks while it is walked
_LASTING = {"", "COMPLETED", "FAILURE"}


class Faxes:
    """Operations on faxes. All raise SinchError."""

    def __init__(self, http: SinchHttp) -> None:
        self._http = http

    async def send(self, order: FaxOrder, *, total_s: float = TRANSFER_S) -> tuple[Fax, ...]:
        """Send to one or several, from URLs, base64 or files. One Fax for each recipient: match them by ``to``.

        An UnclearError means that some or all may have been accepted: never repeat it without looking. Raises
        ValueError for an order that is none, and OSError when a file cannot be read.
        """
        if not order.to or (order.files and order.paths) or not (order.files or order.paths or order.content_urls):
            raise ValueError("an order needs a recipient, and URLs, base64 files or paths; not base64 and paths both")
        body = multipart_body(order) if order.paths else json_body(order)
        answer = await self._http.exchange(Call(method="POST", path="/faxes", body=body), total_s=total_s)
        return _read_sent(answer.body)

    async def get(self, fax_id: str, *, total_s: float = CALL_S) -> Fax:
        return read_answer(Fax, (await self._http.exchange(get(_path(fax_id)), total_s=total_s)).body)

    async def page(self, query: FaxQuery, page: int = 1, *, total_s: float = CALL_S) -> Page[Fax]:
        """One page, by one call."""
        answer = await self._http.exchange(get("/faxes", query.params(page)), total_s=total_s)
        read = partial(read_resource, Fax)
        return read_list(answer.body, "faxes", read, page=page, page_size=query.page_size)

    async def walk(
        self,
        query: FaxQuery,
        *,
        now_ms: int,
        pay: Callable[[], Awaitable[object]] | None = None,
        total_s: float = CALL_S,
    ) -> AsyncIterator[Fax]:
        """Every fax that a query names, once each, however many new ones arrive meanwhile.

        The window is fixed at ``now_ms``, for the last seven days unless the query says otherwise. Statuses that
        faxes leave are filtered here, since a list that shrinks would skip some. ``pay`` is awaited before each
        page; ``total_s`` bounds each page.
        """
        fixed = _fixed(query, now_ms)

        async def fetch(number: int) -> Page[Fax]:
            if pay is not None:
                await pay()
            return await self.page(fixed, number, total_s=total_s)

        async for fax in walk(fetch, key=lambda fax: fax.id):
            if query.status in {"", fax.status}:
                yield fax

    async def export_csv(self, query: FaxQuery, target: Path, *, total_s: float = TRANSFER_S) -> int:
        """Write the provider's CSV export to a file, as it comes. Returns its size in bytes.

        Raises OSError when the file cannot be written. ``target`` appears only when it is whole.
        """
        call = replace(get("/faxes", (*query.filters(), ("format", "csv"))), accept="text/csv")
        return await self._http.save(call, target, total_s=total_s)

    async def download(self, fax_id: str, target: Path, *, total_s: float = TRANSFER_S) -> int:
        """Write the content of a fax, a PDF, to a file. Returns its size in bytes.

        Raises NotFoundError when the provider holds no content (deleted, or never saved), OSError when the file
        cannot be written. ``target`` appears only when it is whole.
        """
        # the older path first: it is what most clients call, and documented as deprecated rather than gone
        older = replace(get(f"{_path(fax_id)}/file.pdf"), accept="application/pdf")
        with suppress(NotFoundError):
            return await self._http.save(older, target, total_s=total_s)
        return await self._http.save(replace(older, path=f"{_path(fax_id)}/file"), target, total_s=total_s)

    async def delete_content(self, fax_id: str, *, total_s: float = CALL_S) -> None:
        """Delete the document of a fax at the provider; its record stays."""
        await self._http.exchange(Call(method="DELETE", path=f"{_path(fax_id)}/file"), total_s=total_s)


def _path(fax_id: str) -> str:
    return f"/faxes/{segment(fax_id)}"


def _fixed(query: FaxQuery, now_ms: int) -> FaxQuery:
    until_ms = now_ms + _CLOCK_MARGIN_MS if query.created_to_ms is None else query.created_to_ms
    since_ms = query.created_from_ms
    if since_ms is None and query.created_to_ms is None:
        since_ms = now_ms - DEFAULT_WINDOW_MS
    status = query.status if query.status in _LASTING else ""
    return replace(query, created_from_ms=since_ms, created_to_ms=until_ms, status=status)


def _read_sent(body: bytes) -> tuple[Fax, ...]:
    answer = json_object(body)
    if answer is None:
        raise UnreadableError("the answer is not a JSON object")
    listed = answer.get("faxes")
    sent = listed if isinstance(listed, list) else [answer]
    if not sent:
        raise UnreadableError("the answer names no fax")
    return tuple(read_resource(Fax, fax) for fax in sent)
