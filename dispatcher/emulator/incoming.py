"""``POST /emulator/incoming``: simulate the arrival of a fax."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from dispatcher.emulator import checks
from dispatcher.emulator.callbacks import Callback
from dispatcher.emulator.clock import rfc3339
from dispatcher.emulator.documents import Document
from dispatcher.emulator.emulator import Emulator
from dispatcher.emulator.faxes import EmulatedFax, view
from dispatcher.emulator.responses import ApiError, json_response
from dispatcher.emulator.send_form import read_json

_CHECKS: dict[str, checks.Check] = {
    "to": checks.e164,
    "from": checks.e164,
    "serviceId": checks.text,
    "file": checks.text,
    "pages": checks.whole_number(1, 500),
}


async def post_incoming(request: Request) -> Response:
    """Create an inbound fax and send the callback of its service.

    The body is ``{"to", "from"}`` with the optional fields ``serviceId``, ``file`` (a PDF in base64), ``pages`` and
    ``barCodes``. Without ``serviceId``, the fax belongs to the service with the number, or else to the default service.
    """
    emulator: Emulator = request.app.state.emulator
    fields = {"from": "+12025550177", **await read_json(request)}
    fields.setdefault("to", None)
    violations = checks.find_violations(fields, _CHECKS)
    if violations:
        raise ApiError(422, "The request has invalid parameters", violations)
    service = emulator.services.for_send(fields.get("serviceId") or emulator.services.numbers.get(fields["to"]))
    fax = _inbound_fax(emulator, service, fields)
    emulator.faxes.add(fax)
    _send_callback(emulator, service, fax)
    return json_response(view(fax, emulator.clock.now_ms()))


def _inbound_fax(emulator: Emulator, service: dict[str, Any], fields: dict[str, Any]) -> EmulatedFax:
    now_ms = emulator.clock.now_ms()
    document = _document(emulator, fields)
    return EmulatedFax(
        id=emulator.ids.new(now_ms),
        direction="INBOUND",
        to=fields["to"],
        sender=fields["from"],
        created_ms=now_ms,
        visible_ms=now_ms,
        settings={"projectId": service["projectId"], "serviceId": service["id"]},
        status="COMPLETED",
        ends_ms=now_ms,
        pages=document.pages,
        pages_sent=document.pages,
        content=document if service["saveInboundFaxDocuments"] else None,
        bar_codes=fields.get("barCodes") if service["scanIncomingBarcodes"] else None,
    )


def _document(emulator: Emulator, fields: dict[str, Any]) -> Document:
    try:
        if "file" in fields:
            return emulator.documents.merged([emulator.documents.from_base64(fields["file"], "PDF")])
        return emulator.documents.merged([emulator.documents.blank(fields.get("pages", 1))])
    except (ValueError, OverflowError) as error:
        raise ApiError(422, "The request has invalid parameters", [("file", str(error))]) from error


def _send_callback(emulator: Emulator, service: dict[str, Any], fax: EmulatedFax) -> None:
    if "incomingWebhookUrl" not in service:
        return
    emulator.callbacks.send(
        Callback(
            event="INCOMING_FAX",
            event_time=rfc3339(fax.created_ms),
            fax=fax,
            url=service["incomingWebhookUrl"],
            content_type=service["webhookContentType"],
        )
    )
