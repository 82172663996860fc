"""Operations on faxes for people and tools: complete objects, all filters, exports and contents.

The dispatcher itself needs less and calls ``FaxClient.send``, ``fax`` and ``list_page``.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from dispatcher.sinch.coerce import MAX_ITEMS, json_object
from dispatcher.sinch.errors import NotFoundError, UnreadableError
from dispatcher.sinch.http import CALL_S, TRANSFER_S, Call, SinchHttp, get_call, path_segment
from dispatcher.sinch.models import Fax, read_resource, read_response
from dispatcher.sinch.order import FaxOrder, json_body, multipart_body
from dispatcher.sinch.paging import Page, iter_all, read_list
from dispatcher.sinch.saving import CSV, DOCUMENT
from dispatcher.sinch.wire import FaxQuery

#: period that the provider lists if a query names no time
DEFAULT_WINDOW_MS = 7 * 24 * 3600 * 1000
#: how far the local clock may be behind the provider's
_CLOCK_MARGIN_MS = 60_000
#: statuses that a fax never leaves; a list that is filtered by another one may shrink during a walk
_FINAL_STATUSES = {"", "COMPLETED", "FAILURE"}


class Faxes:
    """Operations on faxes.

    All of them raise ``SinchError``.
    """

    def __init__(self, http: SinchHttp) -> None:
        self._http = http

    async def send(self, order: FaxOrder, *, total_s: float = TRANSFER_S) -> tuple[Fax, ...]:
        """Send a fax to one or several recipients, from URLs, base64 documents or files.

        Returns:
            One fax for each recipient, in any order; ``Fax.to`` names the recipient.

        Raises:
            UnclearError: some or all faxes may have been accepted; check before you repeat the order.
            ValueError: the order is incomplete.
            OSError: a file cannot be read.
        """
        if not order.to or (order.files and order.paths) or not (order.files or order.paths or order.content_urls):
            raise ValueError("an order needs a recipient, and URLs, base64 files or paths; not base64 and paths both")
        body = multipart_body(order) if order.paths else json_body(order)
        response = await self._http.exchange(Call(method="POST", path="/faxes", body=body), total_s=total_s)
        return _read_sent(response.body)

    async def get(self, fax_id: str, *, total_s: float = CALL_S) -> Fax:
        """Return a fax."""
        return read_response(Fax, (await self._http.exchange(get_call(_path(fax_id)), total_s=total_s)).body)

    async def page(self, query: FaxQuery, page: int = 1, *, total_s: float = CALL_S) -> Page[Fax]:
        """Return one page of the list of faxes, counted from 1."""
        response = await self._http.exchange(get_call("/faxes", query.params(page)), total_s=total_s)
        read_item = partial(read_resource, Fax)
        return read_list(response.body, "faxes", read_item, page=page)

    async def iter_all(
        self,
        query: FaxQuery,
        *,
        now_ms: int,
        before_page: Callable[[], Awaitable[object]] | None = None,
        total_s: float = CALL_S,
    ) -> AsyncIterator[Fax]:
        """Iterate over all faxes that match a query, each once, even if new faxes arrive meanwhile.

        Statuses that a fax may leave are filtered here and not by the provider, because items of a list that shrinks
        could be skipped.

        Args:
            query: The filters. If it names no time, the last seven days before ``now_ms``.
            now_ms: The current time; the list ends here if the query names no end.
            before_page: Called before each page, for example to wait for a read permit.
            total_s: The maximum duration of the request for one page.
        """
        fixed_query = _with_fixed_window(query, now_ms)

        async def fetch(number: int) -> Page[Fax]:
            if before_page is not None:
                await before_page()
            return await self.page(fixed_query, number, total_s=total_s)

        async for fax in iter_all(fetch, key=lambda fax: fax.id):
            if query.status in {"", fax.status}:
                yield fax

    async def export_csv(self, query: FaxQuery, target: Path, *, total_s: float = TRANSFER_S) -> int:
        """Stream the provider's CSV export to a file, which appears only when it is complete.

        Returns:
            The size of the file in bytes.

        Raises:
            SaveError: the file cannot be written.
        """
        call = replace(get_call("/faxes", (*query.filters(), ("format", "csv"))), accept="text/csv")
        return await self._http.save(call, target, CSV, total_s=total_s)

    async def download(self, fax_id: str, target: Path, *, total_s: float = TRANSFER_S) -> int:
        """Stream the content of a fax, a PDF or TIFF, to a file, which appears only when it is complete.

        Returns:
            The size of the file in bytes.

        Raises:
            NotFoundError: the provider has no content for the fax: it was deleted or never saved.
            UnreadableError: the answer is no PDF or TIFF, or larger than 50 MB.
            SaveError: the file cannot be written.
        """
        # the old path first: it is deprecated but supported, and most clients use it
        old_path_call = replace(get_call(f"{_path(fax_id)}/file.pdf"), accept="application/pdf")
        with suppress(NotFoundError):
            return await self._http.save(old_path_call, target, DOCUMENT, total_s=total_s)
        new_path_call = replace(old_path_call, path=f"{_path(fax_id)}/file")
        return await self._http.save(new_path_call, target, DOCUMENT, total_s=total_s)

    async def delete_content(self, fax_id: str, *, total_s: float = CALL_S) -> None:
        """Delete the content of a fax at the provider; the fax itself remains."""
        await self._http.exchange(Call(method="DELETE", path=f"{_path(fax_id)}/file"), total_s=total_s)


def _path(fax_id: str) -> str:
    return f"/faxes/{path_segment(fax_id)}"


def _with_fixed_window(query: FaxQuery, now_ms: int) -> FaxQuery:
    until_ms = now_ms + _CLOCK_MARGIN_MS if query.created_to_ms is None else query.created_to_ms
    since_ms = query.created_from_ms
    if since_ms is None and query.created_to_ms is None:
        since_ms = now_ms - DEFAULT_WINDOW_MS
    status = query.status if query.status in _FINAL_STATUSES else ""
    return replace(query, created_from_ms=since_ms, created_to_ms=until_ms, status=status)


def _read_sent(body: bytes) -> tuple[Fax, ...]:
    response = json_object(body)
    if response is None:
        raise UnreadableError("the answer is not a JSON object")
    listed = response.get("faxes")
    faxes = listed if isinstance(listed, list) else [response]
    if not 0 < len(faxes) <= MAX_ITEMS:
        raise UnreadableError("the answer names no fax")
    return tuple(read_resource(Fax, fax) for fax in faxes)
