"""Operations on services: settings that many faxes share, and the numbers of a service."""

from collections.abc import AsyncIterator
from functools import partial

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from dispatcher.sinch.http import CALL_S, Call, SinchHttp, get_call, json_call, path_segment
from dispatcher.sinch.models import Service, ServiceNumber, read_resource, read_response
from dispatcher.sinch.paging import Page, iter_all, page_query, read_list

PAGE_SIZE = 100


class ServiceSettings(BaseModel):
    """Settings of a service to create or change.

    Fields that are not set keep their value or the provider's default.
    """

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
        """Return the fields that were set, by the provider's names."""
        return self.model_dump(by_alias=True, exclude_unset=True)


class Services:
    """Operations on services.

    All of them raise ``SinchError``.
    """

    def __init__(self, http: SinchHttp) -> None:
        self._http = http

    async def create(self, settings: ServiceSettings, *, total_s: float = CALL_S) -> Service:
        """Create a service."""
        call = json_call("POST", "/services", settings.fields())
        return read_response(Service, (await self._http.exchange(call, total_s=total_s)).body)

    async def get(self, service_id: str, *, total_s: float = CALL_S) -> Service:
        """Return a service."""
        return read_response(Service, (await self._http.exchange(get_call(_path(service_id)), total_s=total_s)).body)

    async def update(self, service_id: str, settings: ServiceSettings, *, total_s: float = CALL_S) -> Service:
        """Change the fields that are set in ``settings``."""
        call = json_call("PATCH", _path(service_id), settings.fields())
        return read_response(Service, (await self._http.exchange(call, total_s=total_s)).body)

    async def delete(self, service_id: str, *, total_s: float = CALL_S) -> None:
        """Delete a service."""
        await self._http.exchange(Call(method="DELETE", path=_path(service_id)), total_s=total_s)

    async def page(self, page: int = 1, *, page_size: int = PAGE_SIZE, total_s: float = CALL_S) -> Page[Service]:
        """Return one page of the services."""
        response = await self._http.exchange(get_call("/services", page_query(page, page_size)), total_s=total_s)
        read_item = partial(read_resource, Service)
        return read_list(response.body, "services", read_item, page=page)

    def iter_all(self) -> AsyncIterator[Service]:
        """Iterate over all services."""
        return iter_all(self.page, key=lambda service: service.id)

    async def numbers_page(
        self, service_id: str, page: int = 1, *, page_size: int = PAGE_SIZE, total_s: float = CALL_S
    ) -> Page[ServiceNumber]:
        """Return one page of the numbers of a service."""
        path = f"{_path(service_id)}/numbers"
        response = await self._http.exchange(get_call(path, page_query(page, page_size)), total_s=total_s)
        read_item = partial(read_resource, ServiceNumber)
        return read_list(response.body, "numbers", read_item, page=page)

    def walk_numbers(self, service_id: str) -> AsyncIterator[ServiceNumber]:
        """Iterate over all numbers of a service.

        Numbers are assigned in the provider's dashboard only.
        """
        return iter_all(partial(self.numbers_page, service_id), key=lambda number: number.phone_number)


def _path(service_id: str) -> str:
    return f"/services/{path_segment(service_id)}"
