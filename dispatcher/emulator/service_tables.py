"""Things that belong to a service and are found by a key: addresses by email, cover pages by id."""

from typing import Any

from dispatcher.emulator.responses import ApiError


class ServiceTables:
    """One shelf of things for each service, in the order in which they came."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._shelves: dict[str, dict[str, dict[str, Any]]] = {}

    def put(self, service_id: str, key: str, thing: dict[str, Any]) -> None:
        self._shelves.setdefault(service_id, {})[key] = thing

    def find(self, service_id: str, key: str) -> dict[str, Any] | None:
        return self._shelves.get(service_id, {}).get(key)

    def get(self, service_id: str, key: str) -> dict[str, Any]:
        """Raises ApiError 404."""
        thing = self.find(service_id, key)
        if thing is None:
            raise ApiError(404, f"The service has no such {self._kind}")
        return thing

    def all(self, service_id: str) -> list[dict[str, Any]]:
        return list(self._shelves.get(service_id, {}).values())

    def remove(self, service_id: str, key: str) -> None:
        """Raises ApiError 404."""
        self.get(service_id, key)
        del self._shelves[service_id][key]

    def remove_service(self, service_id: str) -> None:
        self._shelves.pop(service_id, None)
