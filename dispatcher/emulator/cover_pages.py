"""Endpoints of the cover pages of a service: PDF documents that become the first pages of a fax."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from dispatcher.emulator import checks
from dispatcher.emulator.clock import rfc3339
from dispatcher.emulator.documents import Documents
from dispatcher.emulator.emulator import Emulator
from dispatcher.emulator.paging import page_of, query_parameters
from dispatcher.emulator.responses import ApiError, json_response, no_content
from dispatcher.emulator.send_form import read_json

_name = checks.text_up_to(60)


async def create_cover_page(request: Request) -> Response:
    """``POST .../coverPages``"""
    emulator, service_id = _service(request)
    fields = await read_json(request)
    content = _check_content(fields, emulator.documents)
    now_ms = emulator.clock.now_ms()
    page = {
        "id": emulator.ids.new(now_ms),
        "name": fields["name"],
        "file": {"fileContent": content, "fileType": "application/pdf"},
        "projectId": emulator.config.project_id,
        "serviceId": service_id,
        "createdTime": rfc3339(now_ms),
        "updatedTime": rfc3339(now_ms),
    }
    emulator.cover_pages.put(service_id, page["id"], page)
    return json_response(page)


async def list_cover_pages(request: Request) -> Response:
    """``GET .../coverPages``"""
    emulator, service_id = _service(request)
    pages = emulator.cover_pages.all(service_id)
    return json_response(page_of(pages, query_parameters(request), "coverPages", lambda page: page))


async def get_cover_page(request: Request) -> Response:
    """``GET .../coverPages/{coverPageId}``"""
    emulator, service_id = _service(request)
    return json_response(emulator.cover_pages.get(service_id, request.path_params["coverPageId"]))


async def delete_cover_page(request: Request) -> Response:
    """``DELETE .../coverPages/{coverPageId}``"""
    emulator, service_id = _service(request)
    emulator.cover_pages.remove(service_id, request.path_params["coverPageId"])
    return no_content()


def _service(request: Request) -> tuple[Emulator, str]:
    """Return the emulator and the ID of the service in the path.

    Raises:
        ApiError: 404 if the service does not exist.
    """
    emulator: Emulator = request.app.state.emulator
    return emulator, emulator.services.get(request.path_params["serviceId"])["id"]


def _check_content(fields: dict[str, Any], documents: Documents) -> str:
    """Check the fields of a cover page and return its base64 content.

    Raises:
        ApiError: 413 if the file is too large, 422 if a field is invalid.
    """
    file = fields.get("file")
    violations = checks.find_violations({"name": fields.get("name")}, {"name": _name})
    if not isinstance(file, dict) or not isinstance(file.get("fileContent"), str):
        violations.append(("file", "must be {fileContent, fileType} with base64 text as fileContent"))
    elif str(file.get("fileType", "")).upper() not in ("PDF", "APPLICATION/PDF"):
        violations.append(("file.fileType", "must be PDF"))
    else:
        try:
            if documents.from_base64(file["fileContent"], "PDF").error_code is not None:
                violations.append(("file.fileContent", "is not a PDF"))
        except OverflowError as error:
            raise ApiError(413, f"The cover page {error}") from error
        except ValueError as error:
            violations.append(("file.fileContent", str(error)))
    if violations or not isinstance(file, dict):
        raise ApiError(422, "The request has invalid parameters", violations)
    return str(file["fileContent"])
