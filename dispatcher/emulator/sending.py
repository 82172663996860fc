"""``POST /faxes``: accepts an order, creates its faxes, and responds with the faults of the scenario."""

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from dispatcher.emulator.documents import Document
from dispatcher.emulator.emulator import Emulator
from dispatcher.emulator.faxes import EmulatedFax, view
from dispatcher.emulator.fetching import FetchError
from dispatcher.emulator.request_checks import REQUESTED_MS
from dispatcher.emulator.responses import (
    ApiError,
    NoResponse,
    error_response,
    json_response,
    odd_response,
    unauthorized,
)
from dispatcher.emulator.scenario import RequestFault
from dispatcher.emulator.send_form import read_fields
from dispatcher.emulator.send_order import Order, callback_type, order_from, settings_of
from dispatcher.emulator.simulation import TEST_NUMBER

#: The documented 500 usually has no body. One in this number of responses has a body.
_BODY_EVERY = 4


async def send_fax(request: Request) -> Response:
    """``POST /faxes``"""
    emulator: Emulator = request.app.state.emulator
    fields = await read_fields(request)
    order = order_from(fields, emulator.documents)
    fault = emulator.next_request_fault(order.recipients[0])
    if fault is not None:
        emulator.stats.count_fault(f"request {fault.name}")
        if not fault.accepts:
            return fault_response(fault, len(emulator.faxes.all))
    faxes = _accept(emulator, order, fault, requested_ms=request.scope[REQUESTED_MS])
    shown = [view(fax, fax.created_ms) for fax in faxes]
    for fax in faxes:
        await _start(emulator, order, fax)
    if fault is not None:
        return fault_response(fault, len(emulator.faxes.all))
    return json_response({"faxes": shown} if order.several else shown[0])


def fault_response(fault: RequestFault, count: int) -> Response:
    """Create the response that a fault prescribes; ``count`` is the number of faxes so far."""
    if fault.kind != "status":
        return NoResponse(drop=fault.kind == "drop")
    if fault.status == 401:
        return unauthorized('Bearer error="invalid_token", error_description="Unknown credentials"')
    headers = {"Retry-After": fault.retry_after} if fault.retry_after else {}
    if 300 <= fault.status < 400:
        headers["Location"] = fault.location
    if fault.body:
        return odd_response(fault.status, fault.body, headers)
    if fault.status == 500 and count % _BODY_EVERY:
        return Response(status_code=500, headers=headers)
    violations = [(fault.field, "refused by the scenario")] if fault.status == 422 else None
    return error_response(fault.status, "Asked for by the scenario", violations, headers)


def _accept(emulator: Emulator, order: Order, fault: RequestFault | None, *, requested_ms: int) -> list[EmulatedFax]:
    """Create and store one fax for each recipient."""
    shared = _shared_fields(emulator, order) | {"requested_ms": requested_ms}
    now_ms = emulator.clock.now_ms()
    faxes = [_fax(emulator, to, now_ms, shared) for to in order.recipients]
    for fax in faxes:
        fax.request_fault = fault.name if fault else None
        emulator.faxes.add(fax)
    emulator.stats.accepted += len(faxes)
    emulator.stats.accepted_per_second[now_ms // 1000] += len(faxes)
    return faxes


def _shared_fields(emulator: Emulator, order: Order) -> dict[str, Any]:
    """Return the fields that all faxes of an order have in common.

    Raises:
        ApiError: 404 if the service or cover page does not exist, 422 if the sender is not a number of the project.
    """
    fields = order.fields
    service = emulator.services.for_send(fields.get("serviceId"))
    project_numbers = emulator.services.numbers
    if "from" in fields and emulator.config.numbers and fields["from"] not in project_numbers:
        violations = [("from", "is not a number of the project")]
        raise ApiError(422, "The request has invalid parameters", violations)
    settings = settings_of(order, service, emulator.config.project_id)
    return {
        "direction": "OUTBOUND",
        "sender": fields.get("from", service.get("defaultFrom")),
        "settings": emulator.faxes.share_settings(settings),
        "labels": fields.get("labels"),
        "callback_url": fields.get("callbackUrl"),
        "callback_type": callback_type(fields),
        "content_urls": order.content_urls,
        "cover_page_data": fields.get("coverPageData"),
        "keep_file": service["saveOutboundFaxDocuments"],
        "page_callbacks": service["inProgressNotifications"],
        "documents": _cover_page(emulator, service["id"], fields, settings),
    }


def _fax(emulator: Emulator, to: str, now_ms: int, shared: dict[str, Any]) -> EmulatedFax:
    ordinal = emulator.next_ordinal(to)
    return EmulatedFax(
        id=emulator.ids.new(now_ms),
        to=to,
        created_ms=now_ms,
        visible_ms=now_ms + int(emulator.scenario.list_delay_s * 1000),
        price_per_page="0.000" if to == TEST_NUMBER else "0.045",
        callback_fault=emulator.scenario.callback_fault(to, ordinal),
        odd_fields=emulator.scenario.odd_fields(to, ordinal),
        **shared,
    )


def _cover_page(
    emulator: Emulator, service_id: str, fields: Mapping[str, Any], settings: dict[str, Any]
) -> tuple[Document, ...]:
    """Return the cover page of an order as a document, or nothing if it has none.

    Raises:
        ApiError: 404 if the request names a cover page that does not exist. The default of the service may be missing.
    """
    if "coverPageId" not in settings:
        return ()
    page_id = settings["coverPageId"]
    get_page = emulator.cover_pages.get if "coverPageId" in fields else emulator.cover_pages.find
    page = get_page(service_id, page_id)
    return () if page is None else (emulator.documents.from_base64(page["file"]["fileContent"], "PDF"),)


async def _start(emulator: Emulator, order: Order, fax: EmulatedFax) -> None:
    """Start the simulation of a fax.

    An early callback is delivered before this function returns.
    """
    early = fax.callback_fault is not None and fax.callback_fault.kind == "early"
    if not order.content_urls:
        emulator.simulation.start(fax, [*fax.documents, *order.documents], immediately=early)
    else:
        fetching = emulator.run_in_background(_fetch_and_start(emulator, order, fax, early=early))
        if early:
            await fetching
    if early:
        await _send_early_callback(emulator, fax)


async def _fetch_and_start(emulator: Emulator, order: Order, fax: EmulatedFax, *, early: bool) -> None:
    try:
        fetched = [await emulator.fetcher.get(url) for url in order.content_urls]
    except FetchError as error:
        emulator.simulation.fail_document(fax, error.code, immediately=early)
    else:
        emulator.simulation.start(fax, [*fax.documents, *fetched, *order.documents], immediately=early)


async def _send_early_callback(emulator: Emulator, fax: EmulatedFax) -> None:
    callback = emulator.callbacks.completed_callback(fax)
    if callback is not None and fax.ends_ms is not None:
        emulator.stats.count_fault("callback early")
        await emulator.callbacks.deliver(callback)
