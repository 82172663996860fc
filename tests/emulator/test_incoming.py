"""Simulated inbound faxes."""

import json

import pytest

from tests.emulator.emulator_client import PDF_FILE, TWO_PAGES, EmulatorClient
from tests.emulator.receiver import CallbackServer


def test_the_service_with_the_number_receives_the_callback(emulator: EmulatorClient, receiver: CallbackServer) -> None:
    url = receiver.url("/in", credentials="me:pw@")
    fields = {"incomingWebhookUrl": url, "webhookContentType": "application/json"}
    service = emulator.post("/services", json=fields).json()
    emulator.control("POST", "numbers", json={"phoneNumber": "+12025550155", "serviceId": service["id"]})
    body = {"to": "+12025550155", "from": "+442079460101", "file": PDF_FILE["file"]}
    fax = emulator.control("POST", "incoming", json=body).json()
    delivery = receiver.next_delivery()
    assert delivery.headers["authorization"] == "Basic bWU6cHc="
    assert (delivery.json["event"], delivery.json["file"]) == ("INCOMING_FAX", PDF_FILE["file"])
    assert delivery.json["fax"]["id"] == fax["id"]
    assert (fax["direction"], fax["status"], fax["numberOfPages"]) == ("INBOUND", "COMPLETED", 2)
    assert emulator.get(f"/faxes/{fax['id']}/file").content == TWO_PAGES


def test_the_callback_is_multipart_by_default(emulator: EmulatorClient, receiver: CallbackServer) -> None:
    service = emulator.post("/services", json={"incomingWebhookUrl": receiver.url()}).json()
    body = {"to": "+12025550156", "serviceId": service["id"], "pages": 3}
    fax = emulator.control("POST", "incoming", json=body).json()
    parts = receiver.next_delivery().parts
    assert parts["event"].get_payload() == "INCOMING_FAX"
    assert json.loads(str(parts["fax"].get_payload()))["numberOfPages"] == fax["numberOfPages"] == 3
    assert "file" in parts


def test_a_service_that_saves_no_inbound_documents_keeps_none(emulator: EmulatorClient) -> None:
    service = emulator.post("/services", json={"saveInboundFaxDocuments": False}).json()
    fax = emulator.control("POST", "incoming", json={"to": "+12025550157", "serviceId": service["id"]}).json()
    assert fax["hasFile"] is False


@pytest.mark.parametrize("scans", [True, False])
def test_bar_codes_are_reported_if_the_service_scans(emulator: EmulatorClient, scans: bool) -> None:
    service = emulator.post("/services", json={"scanIncomingBarcodes": scans}).json()
    codes = [{"type": "CODE_128", "page": 1, "value": "A-7"}]
    body = {"to": "+12025550158", "serviceId": service["id"], "barCodes": codes}
    fax = emulator.control("POST", "incoming", json=body).json()
    assert fax.get("barCodes") == (codes if scans else None)


@pytest.mark.parametrize("body", [{}, {"to": "5550101"}, {"to": "+12025550101", "pages": 0}])
def test_an_invalid_inbound_fax_is_refused(emulator: EmulatorClient, body: dict[str, object]) -> None:
    assert emulator.control("POST", "incoming", json=body).status_code == 422
