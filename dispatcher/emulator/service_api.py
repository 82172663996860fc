"""`/services`: create, list, get, change, remove, and the numbers of a service."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from dispatcher.emulator import checks
from dispatcher.emulator.emulator import Emulator
from dispatcher.emulator.paging import page_of, query
from dispatcher.emulator.responses import ApiError, json_answer, no_content
from dispatcher.emulator.send_form import read_json
from dispatcher.emulator.services import FIELDS
from dispatcher.emulator.urls import masked


def view(service: dict[str, Any]) -> dict[str, Any]:
    """A service as it is read: credentials in its webhook URL are masked."""
    if "incomingWebhookUrl" not in service:
        return service
    return {**service, "incomingWebhookUrl": masked(service["incomingWebhookUrl"])}


async def _fields(request: Request) -> dict[str, Any]:
    """The checked fields of a create or change; an empty body names none. Raises ApiError 400, 422."""
    fields = await read_json(request) if await request.body() else {}
    given = {name: value for name, value in fields.items() if value is not None}
    wrong = checks.violations(given, FIELDS)
    if wrong:
        raise ApiError(422, "The request has invalid parameters", wrong)
    return fields


async def create_service(request: Request) -> Response:
    emulator: Emulator = request.app.state.emulator
    fields = await _fields(request)
    return json_answer(view(emulator.services.create(fields, emulator.clock.now_ms())))


async def list_services(request: Request) -> Response:
    emulator: Emulator = request.app.state.emulator
    return json_answer(page_of(emulator.services.all(), query(request), "services", view))


async def get_service(request: Request) -> Response:
    emulator: Emulator = request.app.state.emulator
    return json_answer(view(emulator.services.get(request.path_params["serviceId"])))


async def update_service(request: Request) -> Response:
    emulator: Emulator = request.app.state.emulator
    service = emulator.services.get(request.path_params["serviceId"])
    emulator.services.change(service, await _fields(request))
    return json_answer(view(service))


async def delete_service(request: Request) -> Response:
    emulator: Emulator = request.app.state.emulator
    service_id = request.path_params["serviceId"]
    emulator.services.remove(service_id)
    emulator.emails.remove_service(service_id)
    emulator.cover_pages.remove_service(service_id)
    return no_content()


async def list_numbers(request: Request) -> Response:
    emulator: Emulator = request.app.state.emulator
    service = emulator.services.get(request.path_params["serviceId"])

    def show(number: str) -> dict[str, str]:
        return {"phoneNumber": number, "projectId": service["projectId"], "serviceId": service["id"]}

    return json_answer(page_of(emulator.services.numbers_of(service["id"]), query(request), "numbers", show))
