"""Endpoints that read a fax, the list of faxes or the content of a fax, and the one that deletes the content."""

import asyncio
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from dispatcher.emulator import csv_export
from dispatcher.emulator.documents import Document
from dispatcher.emulator.emulator import Emulator
from dispatcher.emulator.fax_list import list_page, matching_faxes
from dispatcher.emulator.faxes import EmulatedFax, view
from dispatcher.emulator.paging import invalid_parameter, query_parameters
from dispatcher.emulator.responses import ApiError, NoResponse, error_response, json_response, no_content, odd_response
from dispatcher.emulator.scenario import ReadFault


async def list_faxes(request: Request) -> Response:
    """``GET /faxes``: list faxes as JSON or CSV, with the list faults of the scenario."""
    emulator: Emulator = request.app.state.emulator
    query = query_parameters(request)
    fault = emulator.next_list_fault()
    if fault is not None:
        emulator.stats.count_fault(f"list {fault.name}")
        if refusal := await _fault_response(fault):
            return refusal
    now_ms = emulator.clock.now_ms()
    output_format = query.get("format") or "json"
    if output_format == "csv":
        faxes = matching_faxes(emulator.faxes, query, now_ms)
        return csv_export.export((view(fax, now_ms) for fax in faxes), now_ms)
    if output_format != "json":
        raise invalid_parameter("format", "must be csv")
    if fault is None or not fault.size:
        return json_response(list_page(emulator.faxes, query, now_ms))
    page = list_page(emulator.faxes, {**query, "pageSize": _page_size(query, fault.size)}, now_ms)
    return json_response(_without_totals(page) if fault.kind == "no_total" else page)


def _page_size(query: dict[str, str], max_size: int) -> str:
    page_size = query.get("pageSize", "")
    return str(min(max_size, int(page_size)) if page_size.isdigit() else max_size)


def _without_totals(page: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in page.items() if name not in ("totalItems", "totalPages")}


async def _fault_response(fault: ReadFault) -> Response | None:
    """Return the response that replaces the list or the fax; None if the request is answered as usual."""
    match fault.kind:
        case "drop" | "stall":
            return NoResponse(drop=fault.kind == "drop")
        case "slow":
            await asyncio.sleep(fault.seconds)
        case "status":
            headers = {"Retry-After": fault.retry_after} if fault.retry_after else {}
            if fault.body:
                return odd_response(fault.status, fault.body, headers)
            return error_response(fault.status, "Asked for by the scenario", headers=headers)
    return None


async def get_fax(request: Request) -> Response:
    """``GET /faxes/{faxId}``, with the read faults of the scenario."""
    emulator: Emulator = request.app.state.emulator
    fault = emulator.next_read_fault()
    if fault is not None:
        emulator.stats.count_fault(f"read {fault.name}")
        if refusal := await _fault_response(fault):
            return refusal
    return json_response(view(_fax(request), emulator.clock.now_ms()))


async def get_content(request: Request) -> Response:
    """``GET /faxes/{faxId}/file``: download the PDF of a fax."""
    fax = _fax(request)
    disposition = {"Content-Disposition": f'attachment; filename="{fax.id}.pdf"'}
    return Response(_content(fax).data, headers=disposition, media_type="application/pdf")


async def delete_content(request: Request) -> Response:
    """``DELETE /faxes/{faxId}/file``: delete the content of a fax and keep the fax."""
    fax = _fax(request)
    _content(fax)
    fax.content = None
    return no_content()


def _fax(request: Request) -> EmulatedFax:
    emulator: Emulator = request.app.state.emulator
    fax = emulator.faxes.get(request.path_params["faxId"], emulator.clock.now_ms())
    if fax is None:
        raise ApiError(404, "There is no such fax")
    return fax


def _content(fax: EmulatedFax) -> Document:
    if fax.content is None:
        raise ApiError(404, "The fax has no content")
    return fax.content
