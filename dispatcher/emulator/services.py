"""The fax services of the project: their fields, defaults and phone numbers."""

from collections.abc import Mapping
from typing import Any

from dispatcher.emulator import checks
from dispatcher.emulator.ids import Ulids
from dispatcher.emulator.responses import ApiError

FIELDS: dict[str, checks.Check] = {
    "name": checks.text_up_to(60),
    "incomingWebhookUrl": checks.http_url,
    "webhookContentType": checks.one_of(*checks.CALLBACK_TYPES),
    "defaultForProject": checks.boolean,
    "defaultFrom": checks.e164,
    "numberOfRetries": checks.whole_number(0, checks.MAX_RETRIES),
    "retryDelaySeconds": checks.whole_number(0, checks.MAX_RETRY_DELAY_S),
    "imageConversionMethod": checks.one_of(*checks.IMAGE_METHODS),
    "coverPageId": checks.text,
    "saveOutboundFaxDocuments": checks.boolean,
    "saveInboundFaxDocuments": checks.boolean,
    "scanIncomingBarcodes": checks.boolean,
    "inProgressNotifications": checks.boolean,
    "resolution": checks.one_of(*checks.RESOLUTIONS),
}

_DEFAULTS: dict[str, Any] = {
    "name": "",
    "webhookContentType": "multipart/form-data",
    "defaultForProject": False,
    "numberOfRetries": 3,
    "retryDelaySeconds": 60,
    "imageConversionMethod": "HALFTONE",
    "saveOutboundFaxDocuments": True,
    "saveInboundFaxDocuments": True,
    "scanIncomingBarcodes": False,
    "inProgressNotifications": False,
    "resolution": "FINE",
}


class Services:
    """The services of the project.

    The first one becomes the default service.
    """

    def __init__(self, project_id: str, ids: Ulids) -> None:
        self._project_id = project_id
        self._ids = ids
        self._by_id: dict[str, dict[str, Any]] = {}
        #: service ID by phone number
        self.numbers: dict[str, str] = {}

    def create(self, fields: Mapping[str, Any], now_ms: int) -> dict[str, Any]:
        """Create a service from valid fields.

        Missing fields get the defaults of the provider.
        """
        service = {"id": self._ids.new(now_ms), "projectId": self._project_id, **_DEFAULTS}
        self._by_id[service["id"]] = service
        self.change(service, fields)
        if len(self._by_id) == 1:
            service["defaultForProject"] = True
        return service

    def change(self, service: dict[str, Any], fields: Mapping[str, Any]) -> None:
        """Change fields of a service.

        None resets a field to its default.
        """
        for name in FIELDS.keys() & fields.keys():
            if fields[name] is not None:
                service[name] = fields[name]
            elif name in _DEFAULTS:
                service[name] = _DEFAULTS[name]
            else:
                service.pop(name, None)
        if service["defaultForProject"]:
            for other in self._by_id.values():
                other["defaultForProject"] = other is service

    def get(self, service_id: str) -> dict[str, Any]:
        """Return a service.

        Raises:
            ApiError: 404 if it does not exist.
        """
        service = self._by_id.get(service_id)
        if service is None:
            raise ApiError(404, f"There is no service {service_id}")
        return service

    def for_send(self, service_id: str | None) -> dict[str, Any]:
        """Return the service with this ID, or the default service for None.

        Raises:
            ApiError: 404 if it does not exist.
        """
        if service_id is not None:
            return self.get(service_id)
        for service in self._by_id.values():
            if service["defaultForProject"]:
                return service
        raise ApiError(404, "The project has no default service")

    def all(self) -> list[dict[str, Any]]:
        """Return all services in the order of their creation."""
        return list(self._by_id.values())

    def remove(self, service_id: str) -> dict[str, Any]:
        """Remove a service and release its numbers.

        Raises:
            ApiError: 404 if it does not exist.
        """
        service = self.get(service_id)
        del self._by_id[service_id]
        for number in self.numbers_of(service_id):
            del self.numbers[number]
        return service

    def numbers_of(self, service_id: str) -> list[str]:
        """Return the phone numbers of a service."""
        return [number for number, owner in self.numbers.items() if owner == service_id]
