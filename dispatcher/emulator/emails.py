"""Endpoints of fax to email: which addresses may send and receive faxes for which numbers of a service."""

from collections.abc import Iterable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from dispatcher.emulator import checks
from dispatcher.emulator.clock import rfc3339
from dispatcher.emulator.emulator import Emulator
from dispatcher.emulator.paging import page_of, query_parameters
from dispatcher.emulator.responses import ApiError, json_response, no_content
from dispatcher.emulator.send_form import read_json

PERMISSIONS = ("both", "send", "receive")
_permission = checks.one_of(*PERMISSIONS)


async def create_email(request: Request) -> Response:
    """``POST .../emails``: add an address.

    An address without numbers is confirmed but not stored.
    """
    emulator, service_id = _service(request)
    fields = await read_json(request)
    address = fields.get("email")
    violations = [("email", problem)] if (problem := checks.email(address)) else []
    numbers = _numbers(fields.get("phoneNumbers", []), violations)
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
    return json_response(entry)


async def list_emails(request: Request) -> Response:
    """``GET .../emails``"""
    emulator, service_id = _service(request)
    emails = emulator.emails.all(service_id)
    return json_response(page_of(emails, query_parameters(request), "emails", lambda entry: entry))


async def update_email(request: Request) -> Response:
    """``PUT .../emails/{email}``: replace the numbers of an address."""
    emulator, service_id = _service(request)
    entry = emulator.emails.get(service_id, request.path_params["email"])
    fields = await read_json(request)
    numbers = _numbers(fields.get("phoneNumbers"), [])
    entry.update(phoneNumbers=numbers, updatedAt=rfc3339(emulator.clock.now_ms()))
    return json_response(entry)


async def delete_email(request: Request) -> Response:
    """``DELETE .../emails/{email}``: remove an address.

    A request body, which some clients send, is ignored.
    """
    emulator, service_id = _service(request)
    emulator.emails.remove(service_id, request.path_params["email"])
    return no_content()


async def list_numbers_of_email(request: Request) -> Response:
    """``GET .../emails/{email}/numbers``: the field is ``phoneNumber`` here, but ``number`` inside an address."""
    emulator, service_id = _service(request)
    numbers = emulator.emails.get(service_id, request.path_params["email"])["phoneNumbers"]
    ids = {"projectId": emulator.config.project_id, "serviceId": service_id}

    def show(entry: dict[str, Any]) -> dict[str, Any]:
        return {"phoneNumber": entry["number"], **ids, "permissions": entry["permissions"]}

    return json_response(page_of(numbers, query_parameters(request), "phoneNumbers", show))


async def list_emails_of_number(request: Request) -> Response:
    """``GET .../numbers/{phoneNumber}/emails``: the addresses of a number, as strings."""
    emulator, service_id = _service(request)
    phone_number = request.path_params["phoneNumber"]
    addresses = [
        entry["email"]
        for entry in emulator.emails.all(service_id)
        if any(number["number"] == phone_number for number in entry["phoneNumbers"])
    ]
    return json_response(page_of(addresses, query_parameters(request), "emails", lambda address: address))


def _service(request: Request) -> tuple[Emulator, str]:
    """Return the emulator and the ID of the service in the path.

    Raises:
        ApiError: 404 if the service does not exist.
    """
    emulator: Emulator = request.app.state.emulator
    return emulator, emulator.services.get(request.path_params["serviceId"])["id"]


def _numbers(value: Any, earlier_violations: Iterable[tuple[str, str]]) -> list[dict[str, Any]]:
    """Return numbers as ``{number, permissions}``; a number may also be a string.

    Raises:
        ApiError: 422 if a number is invalid or there are earlier violations.
    """
    violations = list(earlier_violations)
    numbers = []
    items = value if isinstance(value, list) else []
    if not isinstance(value, list):
        violations.append(("phoneNumbers", "must be a list of {number, permissions}"))
    for index, item in enumerate(items):
        number = item if isinstance(item, dict) else {"number": item}
        entry = {"number": number.get("number"), "permissions": number.get("permissions") or "both"}
        violations += [
            (f"phoneNumbers[{index}].{field}", description)
            for field, description in checks.find_violations(entry, {"number": checks.e164, "permissions": _permission})
        ]
        numbers.append(entry)
    if violations:
        raise ApiError(422, "The request has invalid parameters", violations)
    return numbers
