"""Cover pages of a service: a PDF with places that are filled for each fax."""

import base64
from collections.abc import AsyncIterator
from functools import partial

from dispatcher.sinch.http import CALL_S, TRANSFER_S, Call, SinchHttp, get, json_call, segment
from dispatcher.sinch.models import CoverPage, read_answer, read_resource
from dispatcher.sinch.paging import Page, page_query, read_list, walk

PAGE_SIZE = 100


class CoverPages:
    """Operations on cover pages. All raise SinchError."""

    def __init__(self, http: SinchHttp) -> None:
        self._http = http

    async def add(self, service_id: str, name: str, pdf: bytes, *, total_s: float = TRANSFER_S) -> CoverPage:
        """Add a page; the provider takes PDF only."""
        file = {"fileContent": base64.b64encode(pdf).decode("ascii"), "fileType": "PDF"}
        call = json_call("POST", _path(service_id), {"name": name, "file": file})
        return read_answer(CoverPage, (await self._http.exchange(call, total_s=total_s)).body)

    async def get(self, service_id: str, cover_page_id: str, *, total_s: float = CALL_S) -> CoverPage:
        answer = await self._http.exchange(get(_path(service_id, cover_page_id)), total_s=total_s)
        return read_answer(CoverPage, answer.body)

    async def delete(self, service_id: str, cover_page_id: str, *, total_s: float = CALL_S) -> None:
        await self._http.exchange(Call(method="DELETE", path=_path(service_id, cover_page_id)), total_s=total_s)

    async def page(
        self, service_id: str, page: int = 1, *, page_size: int = PAGE_SIZE, total_s: float = TRANSFER_S
    ) -> Page[CoverPage]:
        """One page of the list; it may be large, since every item can carry its document."""
        answer = await self._http.exchange(get(_path(service_id), page_query(page, page_size)), total_s=total_s)
        return read_list(answer.body, "coverPages", partial(read_resource, CoverPage), page=page, page_size=page_size)

    def walk(self, service_id: str) -> AsyncIterator[CoverPage]:
        """Every cover page of a service once."""
        return walk(partial(self.page, service_id), key=lambda page: page.id)


def _path(service_id: str, cover_page_id: str | None = None) -> str:
    pages = f"/services/{segment(service_id)}/coverPages"
    return pages if cover_page_id is None else f"{pages}/{segment(cover_page_id)}"
