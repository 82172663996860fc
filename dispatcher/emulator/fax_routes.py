"""Reading faxes: one, the list, its CSV export, the content; and deleting the content."""

import asyncio
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from dispatcher.emulator import csv_export
from dispatcher.emulator.documents import Document
from dispatcher.emulator.emulator import Emulator
from dispatcher.emulator.fax_list import list_page, matching
from dispatcher.emulator.faxes import EmulatedFax, view
from dispatcher.emulator.paging import query, refuse
from dispatcher.emulator.responses import ApiError, NoAnswer, error_answer, json_answer, no_content, odd_answer
from dispatcher.emulator.scenario import ReadFault


async def list_faxes(request: Request) -> Response:
    emulator: Emulator = request.app.state.emulator
    asked = query(request)
    fault = emulator.next_list_fault()
    if fault is not None:
        emulator.stats.fault(f"list {fault.name}")
        if refusal := await _struck(fault):
            return refusal
    now_ms = emulator.clock.now_ms()
    form = asked.get("format") or "json"
    if form == "csv":
        faxes = matching(emulator.faxes, asked, now_ms)
        return csv_export.export((view(fax, now_ms) for fax in faxes), now_ms)
    if form != "json":
        raise refuse("format", "must be csv")
    if fault is None or not fault.size:
        return json_answer(list_page(emulator.faxes, asked, now_ms))
    page = list_page(emulator.faxes, {**asked, "pageSize": _smaller(asked, fault.size)}, now_ms)
    return json_answer(_without_totals(page) if fault.kind == "no_total" else page)


def _smaller(asked: dict[str, str], size: int) -> str:
    wanted = asked.get("pageSize", "")
    return str(min(size, int(wanted)) if wanted.isdigit() else size)


def _without_totals(page: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in page.items() if name not in ("totalItems", "totalPages")}


async def _struck(fault: ReadFault) -> Response | None:
    """What is answered in the place of the list or the fax; None when it comes after all."""
    match fault.kind:
        case "drop" | "stall":
            return NoAnswer(drop=fault.kind == "drop")
        case "slow":
            await asyncio.sleep(fault.seconds)
        case "status":
            headers = {"Retry-After": fault.retry_after} if fault.retry_after else {}
            if fault.body:
                return odd_answer(fault.status, fault.body, headers)
            return error_answer(fault.status, "Asked for by the scenario", headers=headers)
    return None


async def get_fax(request: Request) -> Response:
    emulator: Emulator = request.app.state.emulator
    fault = emulator.next_read_fault()
    if fault is not None:
        emulator.stats.fault(f"read {fault.name}")
        if refusal := await _struck(fault):
            return refusal
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
