"""Fax to email: which addresses may send and receive for which numbers of a service."""

from collections.abc import Iterable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from dispatcher.emulator import checks
from dispatcher.emulator.clock import rfc3339
from dispatcher.emulator.emulator import Emulator
from dispatcher.emulator.paging import page_of, query
from dispatcher.emulator.responses import ApiError, json_answer, no_content
from dispatcher.emulator.send_form import read_json

PERMISSIONS = ("both", "send", "receive")
_permission = checks.one_of(*PERMISSIONS)


async def create_email(request: Request) -> Response:
    """Add an address; one without any number is answered like the others but not kept."""
    emulator, service_id = _service(request)
    fields = await read_json(request)
    address = fields.get("email")
    wrong = [("email", problem)] if (problem := checks.email(address)) else []
    numbers = _numbers(fields.get("phoneNumbers", []), wrong)
    now = rfc3339(emulator.clock.now_ms())
    entry = {
        "email": address,
        "phoneNumbers": numbers,
        "projectId": emulator.config.project_id,
        "createdAt": now,
        "updatedAt": now,
    }
    if numbers:
        emulator.emails.put(service_id, str(address), entry)
    return json_answer(entry)


async def list_emails(request: Request) -> Response:
    emulator, service_id = _service(request)
    return json_answer(page_of(emulator.emails.all(service_id), query(request), "emails", lambda entry: entry))


async def update_email(request: Request) -> Response:
    """Replace the numbers of an address."""
    emulator, service_id = _service(request)
    entry = emulator.emails.get(service_id, request.path_params["email"])
    fields = await read_json(request)
    numbers = _numbers(fields.get("phoneNumbers"), [])
    entry.update(phoneNumbers=numbers, updatedAt=rfc3339(emulator.clock.now_ms()))
    return json_answer(entry)


async def delete_email(request: Request) -> Response:
    """Remove an address; a body, which some clients send, is ignored."""
    emulator, service_id = _service(request)
    emulator.emails.remove(service_id, request.path_params["email"])
    return no_content()


async def list_numbers_of_email(request: Request) -> Response:
    """The numbers of an address; the number is called `phoneNumber` here, and `number` inside an address."""
    emulator, service_id = _service(request)
    numbers = emulator.emails.get(service_id, request.path_params["email"])["phoneNumbers"]
    ids = {"projectId": emulator.config.project_id, "serviceId": service_id}

    def show(entry: dict[str, Any]) -> dict[str, Any]:
        return {"phoneNumber": entry["number"], **ids, "permissions": entry["permissions"]}

    return json_answer(page_of(numbers, query(request), "phoneNumbers", show))


async def list_emails_of_number(request: Request) -> Response:
    """The addresses of a number as plain text."""
    emulator, service_id = _service(request)
    wanted = request.path_params["phoneNumber"]
    found = [
        entry["email"]
        for entry in emulator.emails.all(service_id)
        if any(number["number"] == wanted for number in entry["phoneNumbers"])
    ]
    return json_answer(page_of(found, query(request), "emails", lambda address: address))


def _service(request: Request) -> tuple[Emulator, str]:
    """The emulator, and the id of the existing service in the path. Raises ApiError 404."""
    emulator: Emulator = request.app.state.emulator
    return emulator, emulator.services.get(request.path_params["serviceId"])["id"]


def _numbers(value: Any, wrong: Iterable[tuple[str, str]]) -> list[dict[str, Any]]:
    """Numbers as `{number, permissions}`; plain text is taken too. Raises ApiError 422."""
    found = list(wrong)
    numbers = []
    items = value if isinstance(value, list) else []
    if not isinstance(value, list):
        found.append(("phoneNumbers", "must be a list of {number, permissions}"))
    for i, item in enumerate(items):
        number = item if isinstance(item, dict) else {"number": item}
        entry = {"number": number.get("number"), "permissions": number.get("permissions") or "both"}
        found += [
            (f"phoneNumbers[{i}].{field}", description)
            for field, description in checks.violations(entry, {"number": checks.e164, "permissions": _permission})
        ]
        numbers.append(entry)
    if found:
        raise ApiError(422, "The request has invalid parameters", found)
    return numbers
