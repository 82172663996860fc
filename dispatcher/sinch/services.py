"""Services: settings that many faxes share, and the numbers that belong to them."""

from collections.abc import AsyncIterator
from functools import partial

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from dispatcher.sinch.http import CALL_S, Call, SinchHttp, get, json_call, segment
from dispatcher.sinch.models import Service, ServiceNumber, read_answer, read_resource
from dispatcher.sinch.paging import Page, page_query, read_list, walk

PAGE_SIZE = 100


class ServiceSettings(BaseModel):
    """What to set on a service. A field that is not given is left as it is, or as the provider sets it."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)

    #: at most 60 characters
    name: str | None = None
    incoming_webhook_url: str | None = None
    webhook_content_type: str | None = None
    default_for_project: bool | None = None
    default_from: str | None = None
    #: at most 5
    number_of_retries: int | None = None
    retry_delay_seconds: int | None = None
    image_conversion_method: str | None = None
    resolution: str | None = None
    cover_page_id: str | None = None
    save_outbound_fax_documents: bool | None = None
    save_inbound_fax_documents: bool | None = None
    scan_incoming_barcodes: bool | None = None
    in_progress_notifications: bool | None = None

    def fields(self) -> dict[str, object]:
        """What was given, under the provider's names."""
        return self.model_dump(by_alias=True, exclude_unset=True)


class Services:
    """Operations on services. All raise SinchError."""

    def __init__(self, http: SinchHttp) -> None:
        self._http = http

    async def create(self, settings: ServiceSettings, *, total_s: float = CALL_S) -> Service:
        call = json_call("POST", "/services", settings.fields())
        return read_answer(Service, (await self._http.exchange(call, total_s=total_s)).body)

    async def get(self, service_id: str, *, total_s: float = CALL_S) -> Service:
        return read_answer(Service, (await self._http.exchange(get(_path(service_id)), total_s=total_s)).body)

    async def update(self, service_id: str, settings: ServiceSettings, *, total_s: float = CALL_S) -> Service:
        """Change the given fields only."""
        call = json_call("PATCH", _path(service_id), settings.fields())
        return read_answer(Service, (await self._http.exchange(call, total_s=total_s)).body)

    async def delete(self, service_id: str, *, total_s: float = CALL_S) -> None:
        await self._http.exchange(Call(method="DELETE", path=_path(service_id)), total_s=total_s)

    async def page(self, page: int = 1, *, page_size: int = PAGE_SIZE, total_s: float = CALL_S) -> Page[Service]:
        answer = await self._http.exchange(get("/services", page_query(page, page_size)), total_s=total_s)
        read = partial(read_resource, Service)
        return read_list(answer.body, "services", read, page=page, page_size=page_size)

    def walk(self) -> AsyncIterator[Service]:
        """Every service once."""
        return walk(self.page, key=lambda service: service.id)

    async def numbers_page(
        self, service_id: str, page: int = 1, *, page_size: int = PAGE_SIZE, total_s: float = CALL_S
    ) -> Page[ServiceNumber]:
        path = f"{_path(service_id)}/numbers"
        answer = await self._http.exchange(get(path, page_query(page, page_size)), total_s=total_s)
        read = partial(read_resource, ServiceNumber)
        return read_list(answer.body, "numbers", read, page=page, page_size=page_size)

    def walk_numbers(self, service_id: str) -> AsyncIterator[ServiceNumber]:
        """Every number of a service once. Numbers are attached in the provider's dashboard, not here."""
        return walk(partial(self.numbers_page, service_id), key=lambda number: number.phone_number)


def _path(service_id: str) -> str:
    return f"/services/{segment(service_id)}"
