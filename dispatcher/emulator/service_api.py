"""Endpoints of the services of the project, and of the numbers of a service."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from dispatcher.emulator import checks
from dispatcher.emulator.emulator import Emulator
from dispatcher.emulator.paging import page_of, query_parameters
from dispatcher.emulator.responses import ApiError, json_response, no_content
from dispatcher.emulator.send_form import read_json
from dispatcher.emulator.services import FIELDS
from dispatcher.emulator.urls import redact_credentials


def view(service: dict[str, Any]) -> dict[str, Any]:
    """Return a service as the API shows it, with the credentials in its webhook URL redacted."""
    if "incomingWebhookUrl" not in service:
        return service
    return {**service, "incomingWebhookUrl": redact_credentials(service["incomingWebhookUrl"])}


async def _fields(request: Request) -> dict[str, Any]:
    """Return the valid fields of a create or update request; an empty body has none.

    Raises:
        ApiError: 400 if the body cannot be read, 422 if a field is invalid.
    """
    fields = await read_json(request) if await request.body() else {}
    set_fields = {name: value for name, value in fields.items() if value is not None}
    violations = checks.find_violations(set_fields, FIELDS)
    if violations:
        raise ApiError(422, "The request has invalid parameters", violations)
    return fields


async def create_service(request: Request) -> Response:
    """``POST /services``"""
    emulator: Emulator = request.app.state.emulator
    fields = await _fields(request)
    return json_response(view(emulator.services.create(fields, emulator.clock.now_ms())))


async def list_services(request: Request) -> Response:
    """``GET /services``"""
    emulator: Emulator = request.app.state.emulator
    return json_response(page_of(emulator.services.all(), query_parameters(request), "services", view))


async def get_service(request: Request) -> Response:
    """``GET /services/{serviceId}``"""
    emulator: Emulator = request.app.state.emulator
    return json_response(view(emulator.services.get(request.path_params["serviceId"])))


async def update_service(request: Request) -> Response:
    """``PATCH /services/{serviceId}``: change the named fields."""
    emulator: Emulator = request.app.state.emulator
    service = emulator.services.get(request.path_params["serviceId"])
    emulator.services.change(service, await _fields(request))
    return json_response(view(service))


async def delete_service(request: Request) -> Response:
    """``DELETE /services/{serviceId}``: remove a service with its addresses and cover pages."""
    emulator: Emulator = request.app.state.emulator
    service_id = request.path_params["serviceId"]
    emulator.services.remove(service_id)
    emulator.emails.remove_service(service_id)
    emulator.cover_pages.remove_service(service_id)
    return no_content()


async def list_numbers(request: Request) -> Response:
    """``GET /services/{serviceId}/numbers``"""
    emulator: Emulator = request.app.state.emulator
    service = emulator.services.get(request.path_params["serviceId"])

    def show(number: str) -> dict[str, str]:
        return {"phoneNumber": number, "projectId": service["projectId"], "serviceId": service["id"]}

    numbers = emulator.services.numbers_of(service["id"])
    return json_response(page_of(numbers, query_parameters(request), "numbers", show))
