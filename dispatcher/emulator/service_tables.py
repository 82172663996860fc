"""Tables of resources that belong to a service, such as its email addresses and cover pages."""

from typing import Any

from dispatcher.emulator.responses import ApiError


class ServiceTables:
    """One table of resources for each service, in the order of their creation.

    ``kind`` names the resource in errors.
    """

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._tables: dict[str, dict[str, dict[str, Any]]] = {}

    def put(self, service_id: str, key: str, resource: dict[str, Any]) -> None:
        """Add or replace a resource."""
        self._tables.setdefault(service_id, {})[key] = resource

    def find(self, service_id: str, key: str) -> dict[str, Any] | None:
        """Return a resource, or None if it does not exist."""
        return self._tables.get(service_id, {}).get(key)

    def get(self, service_id: str, key: str) -> dict[str, Any]:
        """Return a resource.

        Raises:
            ApiError: 404 if it does not exist.
        """
        resource = self.find(service_id, key)
        if resource is None:
            raise ApiError(404, f"The service has no such {self._kind}")
        return resource

    def all(self, service_id: str) -> list[dict[str, Any]]:
        """Return all resources of a service."""
        return list(self._tables.get(service_id, {}).values())

    def remove(self, service_id: str, key: str) -> None:
        """Remove a resource.

        Raises:
            ApiError: 404 if it does not exist.
        """
        self.get(service_id, key)
        del self._tables[service_id][key]

    def remove_service(self, service_id: str) -> None:
        """Remove all resources of a service."""
        self._tables.pop(service_id, None)
