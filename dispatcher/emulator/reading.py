"""Reading faxes: one, the list, its CSV export, the content; and deleting the content."""

from starlette.requests import Request
from starlette.responses import Response

from dispatcher.emulator import csv_export
from dispatcher.emulator.answers import ApiError, json_answer, no_content
from dispatcher.emulator.documents import Document
from dispatcher.emulator.emulator import Emulator
from dispatcher.emulator.fax_list import list_page, matching
from dispatcher.emulator.faxes import Fax, view
from dispatcher.emulator.lists import query, refuse


async def list_faxes(request: Request) -> Response:
    emulator: Emulator = request.app.state.emulator
    asked = query(request)
    now_ms = emulator.clock.now_ms()
    form = asked.get("format") or "json"
    if form == "csv":
        faxes = matching(emulator.faxes, asked, now_ms)
        return csv_export.export((view(fax, now_ms) for fax in faxes), now_ms)
    if form != "json":
        raise refuse("format", "must be csv")
    return json_answer(list_page(emulator.faxes, asked, now_ms))


async def get_fax(request: Request) -> Response:
    emulator: Emulator = request.app.state.emulator
    return json_answer(view(_fax(request), emulator.clock.now_ms()))


async def get_content(request: Request) -> Response:
    fax = _fax(request)
    disposition = {"Content-Disposition": f'attachment; filename="{fax.id}.pdf"'}
    return Response(_content(fax).data, headers=disposition, media_type="application/pdf")


async def delete_content(request: Request) -> Response:
    """Remove the content and keep the record."""
    fax = _fax(request)
    _content(fax)
    fax.content = None
    return no_content()


def _fax(request: Request) -> Fax:
    emulator: Emulator = request.app.state.emulator
    fax = emulator.faxes.get(request.path_params["faxId"], emulator.clock.now_ms())
    if fax is None:
        raise ApiError(404, "There is no such fax")
    return fax


def _content(fax: Fax) -> Document:
    if fax.content is None:
        raise ApiError(404, "The fax has no content")
    return fax.content
