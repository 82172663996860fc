"""`POST /faxes`: takes an order, makes its faxes, and answers as the scenario wants."""

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from dispatcher.emulator.documents import Document
from dispatcher.emulator.emulator import Emulator
from dispatcher.emulator.faxes import EmulatedFax, view
from dispatcher.emulator.fetching import FetchError
from dispatcher.emulator.request_checks import REQUESTED_MS
from dispatcher.emulator.responses import ApiError, NoAnswer, error_answer, json_answer, odd_answer, unauthorized
from dispatcher.emulator.scenario import RequestFault
from dispatcher.emulator.send_form import read_fields
from dispatcher.emulator.send_order import Order, callback_type, order_from, settings_of
from dispatcher.emulator.simulation import TEST_NUMBER

#: The documented 500 mostly has no body; one in this many faxes gets one.
_BODY_EVERY = 4


async def send_fax(request: Request) -> Response:
    emulator: Emulator = request.app.state.emulator
    fields = await read_fields(request)
    order = order_from(fields, emulator.documents)
    fault = emulator.next_request_fault(order.recipients[0])
    if fault is not None:
        emulator.stats.fault(f"request {fault.name}")
        if not fault.accepts:
            return fault_answer(fault, len(emulator.faxes.all))
    faxes = _accept(emulator, order, fault, requested_ms=request.scope[REQUESTED_MS])
    shown = [view(fax, fax.created_ms) for fax in faxes]
    for fax in faxes:
        await _start(emulator, order, fax)
    if fault is not None:
        return fault_answer(fault, len(emulator.faxes.all))
    return json_answer({"faxes": shown} if order.several else shown[0])


def fault_answer(fault: RequestFault, count: int) -> Response:
    """What the sender gets instead of the ordinary answer."""
    if fault.kind != "status":
        return NoAnswer(drop=fault.kind == "drop")
    if fault.status == 401:
        return unauthorized('Bearer error="invalid_token", error_description="Unknown credentials"')
    headers = {"Retry-After": fault.retry_after} if fault.retry_after else {}
    if 300 <= fault.status < 400:
        headers["Location"] = fault.location
    if fault.body:
        return odd_answer(fault.status, fault.body, headers)
    if fault.status == 500 and count % _BODY_EVERY:
        return Response(status_code=500, headers=headers)
    wrong = [(fault.field, "refused by the scenario")] if fault.status == 422 else None
    return error_answer(fault.status, "Asked for by the scenario", wrong, headers)


def _accept(emulator: Emulator, order: Order, fault: RequestFault | None, *, requested_ms: int) -> list[EmulatedFax]:
    """Make one fax for each recipient and count it."""
    shared = _shared(emulator, order) | {"requested_ms": requested_ms}
    now_ms = emulator.clock.now_ms()
    faxes = [_fax(emulator, to, now_ms, shared) for to in order.recipients]
    for fax in faxes:
        fax.request_fault = fault.name if fault else None
        emulator.faxes.add(fax)
    emulator.stats.accepted += len(faxes)
    emulator.stats.accepted_per_second[now_ms // 1000] += len(faxes)
    return faxes


def _shared(emulator: Emulator, order: Order) -> dict[str, Any]:
    """What all faxes of an order have in common. Raises ApiError for a service or sender that is not ours."""
    fields = order.fields
    service = emulator.services.for_send(fields.get("serviceId"))
    owned = emulator.services.numbers
    if "from" in fields and emulator.config.numbers and fields["from"] not in owned:
        wrong = [("from", "is not a number of the project")]
        raise ApiError(422, "The request has invalid parameters", wrong)
    settings = settings_of(order, service, emulator.config.project_id)
    return {
        "direction": "OUTBOUND",
        "sender": fields.get("from", service.get("defaultFrom")),
        "settings": emulator.faxes.shared(settings),
        "labels": fields.get("labels"),
        "callback_url": fields.get("callbackUrl"),
        "callback_type": callback_type(fields),
        "content_urls": order.content_urls,
        "cover_page_data": fields.get("coverPageData"),
        "keep_file": service["saveOutboundFaxDocuments"],
        "page_notices": service["inProgressNotifications"],
        "documents": _cover(emulator, service["id"], fields, settings),
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


def _cover(
    emulator: Emulator, service_id: str, fields: Mapping[str, Any], settings: dict[str, Any]
) -> tuple[Document, ...]:
    """The cover page as first document. A named one has to exist (ApiError 404), the service's own may be gone."""
    if "coverPageId" not in settings:
        return ()
    page_id = settings["coverPageId"]
    look = emulator.cover_pages.get if "coverPageId" in fields else emulator.cover_pages.find
    page = look(service_id, page_id)
    return () if page is None else (emulator.documents.from_base64(page["file"]["fileContent"], "PDF"),)


async def _start(emulator: Emulator, order: Order, fax: EmulatedFax) -> None:
    """Start the life of a fax; an early callback is delivered before this returns."""
    early = fax.callback_fault is not None and fax.callback_fault.kind == "early"
    if not order.content_urls:
        emulator.lives.begin(fax, [*fax.documents, *order.documents], at_once=early)
    else:
        fetching = emulator.background(_fetch_and_begin(emulator, order, fax, early=early))
        if early:
            await fetching
    if early:
        await _tell_early(emulator, fax)


async def _fetch_and_begin(emulator: Emulator, order: Order, fax: EmulatedFax, *, early: bool) -> None:
    try:
        fetched = [await emulator.fetcher.get(url) for url in order.content_urls]
    except FetchError as error:
        emulator.lives.fail_document(fax, error.code, at_once=early)
    else:
        emulator.lives.begin(fax, [*fax.documents, *fetched, *order.documents], at_once=early)


async def _tell_early(emulator: Emulator, fax: EmulatedFax) -> None:
    notice = emulator.callbacks.completion(fax)
    if notice is not None and fax.ends_ms is not None:
        emulator.stats.fault("callback early")
        await emulator.callbacks.deliver(notice)
