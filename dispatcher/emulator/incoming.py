"""A fax that comes in: what a telephone network would do, asked for over HTTP."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from dispatcher.emulator import checks
from dispatcher.emulator.callbacks import Notice
from dispatcher.emulator.clock import rfc3339
from dispatcher.emulator.documents import Document
from dispatcher.emulator.emulator import Emulator
from dispatcher.emulator.faxes import EmulatedFax, view
from dispatcher.emulator.responses import ApiError, json_answer
from dispatcher.emulator.send_form import read_json

_CHECKS: dict[str, checks.Check] = {
    "to": checks.e164,
    "from": checks.e164,
    "serviceId": checks.text,
    "file": checks.text,
    "pages": checks.whole_number(1, 500),
}


async def post_incoming(request: Request) -> Response:
    """Let a fax arrive: `{"to", "from"}` and, if wanted, `serviceId`, `file` (base64 PDF) or `pages`, `barCodes`.

    It arrives at the service that has the number, else at the named or default one.
    """
    emulator: Emulator = request.app.state.emulator
    fields = {"from": "+12025550177", **await read_json(request)}
    fields.setdefault("to", None)
    wrong = checks.violations(fields, _CHECKS)
    if wrong:
        raise ApiError(422, "The request has invalid parameters", wrong)
    service = emulator.services.for_send(fields.get("serviceId") or emulator.services.numbers.get(fields["to"]))
    fax = _arrived(emulator, service, fields)
    emulator.faxes.add(fax)
    _announce(emulator, service, fax)
    return json_answer(view(fax, emulator.clock.now_ms()))


def _arrived(emulator: Emulator, service: dict[str, Any], fields: dict[str, Any]) -> EmulatedFax:
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


def _announce(emulator: Emulator, service: dict[str, Any], fax: EmulatedFax) -> None:
    if "incomingWebhookUrl" not in service:
        return
    emulator.callbacks.send(
        Notice(
            event="INCOMING_FAX",
            event_time=rfc3339(fax.created_ms),
            fax=fax,
            url=service["incomingWebhookUrl"],
            content_type=service["webhookContentType"],
        )
    )
