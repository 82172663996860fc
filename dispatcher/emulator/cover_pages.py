"""Cover pages of a service: PDF templates that go in front of a fax."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from dispatcher.emulator import checks
from dispatcher.emulator.clock import rfc3339
from dispatcher.emulator.documents import Documents
from dispatcher.emulator.emulator import Emulator
from dispatcher.emulator.paging import page_of, query
from dispatcher.emulator.responses import ApiError, json_answer, no_content
from dispatcher.emulator.send_form import read_json

_name = checks.text_up_to(60)


async def create_cover_page(request: Request) -> Response:
    emulator, service_id = _service(request)
    fields = await read_json(request)
    content = _checked(fields, emulator.documents)
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
    return json_answer(page)


async def list_cover_pages(request: Request) -> Response:
    emulator, service_id = _service(request)
    pages = emulator.cover_pages.all(service_id)
    return json_answer(page_of(pages, query(request), "coverPages", lambda page: page))


async def get_cover_page(request: Request) -> Response:
    emulator, service_id = _service(request)
    return json_answer(emulator.cover_pages.get(service_id, request.path_params["coverPageId"]))


async def delete_cover_page(request: Request) -> Response:
    emulator, service_id = _service(request)
    emulator.cover_pages.remove(service_id, request.path_params["coverPageId"])
    return no_content()


def _service(request: Request) -> tuple[Emulator, str]:
    """The emulator, and the id of the existing service in the path. Raises ApiError 404."""
    emulator: Emulator = request.app.state.emulator
    return emulator, emulator.services.get(request.path_params["serviceId"])["id"]


def _checked(fields: dict[str, Any], documents: Documents) -> str:
    """The base64 content of a cover page that is a PDF. Raises ApiError 413, 422."""
    file = fields.get("file")
    wrong = checks.violations({"name": fields.get("name")}, {"name": _name})
    if not isinstance(file, dict) or not isinstance(file.get("fileContent"), str):
        wrong.append(("file", "must be {fileContent, fileType} with base64 text as fileContent"))
    elif str(file.get("fileType", "")).upper() not in ("PDF", "APPLICATION/PDF"):
        wrong.append(("file.fileType", "must be PDF"))
    else:
        try:
            if documents.from_base64(file["fileContent"], "PDF").error_code is not None:
                wrong.append(("file.fileContent", "is not a PDF"))
        except OverflowError as error:
            raise ApiError(413, f"The cover page {error}") from error
        except ValueError as error:
            wrong.append(("file.fileContent", str(error)))
    if wrong or not isinstance(file, dict):
        raise ApiError(422, "The request has invalid parameters", wrong)
    return str(file["fileContent"])
