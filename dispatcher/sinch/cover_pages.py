"""Operations on the cover pages of a service: PDF templates that are filled in for each fax."""

import base64
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial

from dispatcher.sinch.http import CALL_S, TRANSFER_S, Call, SinchHttp, get_call, json_call, path_segment
from dispatcher.sinch.models import CoverPage, read_resource, read_response
from dispatcher.sinch.paging import Page, iter_all, page_query, read_list

PAGE_SIZE = 100
#: maximum size of a page of the list, which may contain the documents
MAX_LIST_BYTES = 64 * 1024 * 1024


class CoverPages:
    """Operations on cover pages.

    All of them raise ``SinchError``.
    """

    def __init__(self, http: SinchHttp) -> None:
        self._http = http

    async def add(self, service_id: str, name: str, pdf: bytes, *, total_s: float = TRANSFER_S) -> CoverPage:
        """Add a cover page; it must be a PDF."""
        file = {"fileContent": base64.b64encode(pdf).decode("ascii"), "fileType": "PDF"}
        call = json_call("POST", _path(service_id), {"name": name, "file": file})
        return read_response(CoverPage, (await self._http.exchange(call, total_s=total_s)).body)

    async def get(self, service_id: str, cover_page_id: str, *, total_s: float = CALL_S) -> CoverPage:
        """Return a cover page without its document."""
        response = await self._http.exchange(get_call(_path(service_id, cover_page_id)), total_s=total_s)
        return read_response(CoverPage, response.body)

    async def delete(self, service_id: str, cover_page_id: str, *, total_s: float = CALL_S) -> None:
        """Delete a cover page."""
        await self._http.exchange(Call(method="DELETE", path=_path(service_id, cover_page_id)), total_s=total_s)

    async def page(
        self, service_id: str, page: int = 1, *, page_size: int = PAGE_SIZE, total_s: float = TRANSFER_S
    ) -> Page[CoverPage]:
        """Return one page of the list.

        It may be large, because each item can contain its document.
        """
        call = replace(get_call(_path(service_id), page_query(page, page_size)), max_bytes=MAX_LIST_BYTES)
        response = await self._http.exchange(call, total_s=total_s)
        return read_list(response.body, "coverPages", partial(read_resource, CoverPage), page=page)

    def iter_all(self, service_id: str) -> AsyncIterator[CoverPage]:
        """Iterate over all cover pages of a service."""
        return iter_all(partial(self.page, service_id), key=lambda page: page.id)


def _path(service_id: str, cover_page_id: str | None = None) -> str:
    pages = f"/services/{path_segment(service_id)}/coverPages"
    return pages if cover_page_id is None else f"{pages}/{path_segment(cover_page_id)}"
