"""Callbacks: both content types, credentials, redelivery, and the faults of a scenario."""

import json
import socket

import pytest

from dispatcher.emulator import EmulatorConfig, running
from dispatcher.emulator.callbacks import REDELIVERY_S
from tests.emulator.emulator_client import PDF_FILE, TWO_PAGES, EmulatorClient, eventually
from tests.emulator.receiver import CallbackServer


def callback_statuses(client: EmulatorClient, fax_id: str) -> list[int]:
    entry = next(entry for entry in client.ledger() if entry["id"] == fax_id)
    return [delivery["status"] for delivery in entry["callbacks"]]


def test_by_default_the_callback_is_multipart_and_contains_the_document(
    resettable: EmulatorClient, receiver: CallbackServer
) -> None:
    fax = resettable.send_accepted(callbackUrl=receiver.url("/cb?x=1"), labels={"job": "7"})
    delivery = receiver.next_delivery()
    parts = delivery.parts
    assert delivery.path == "/cb?x=1"
    assert list(parts) == ["event", "eventTime", "fax", "file"]
    assert parts["event"].get_payload() == "FAX_COMPLETED"
    shown = json.loads(str(parts["fax"].get_payload()))
    assert (shown["id"], shown["status"], shown["labels"]) == (fax["id"], "COMPLETED", {"job": "7"})
    assert parts["file"].get_content_type() == "application/pdf"
    assert parts["file"].get_filename() == f"{fax['id']}.pdf"
    assert parts["file"].get_payload(decode=True) == TWO_PAGES.rstrip(b"\n") + b"\n"


def test_a_json_callback_contains_the_document_as_base64(resettable: EmulatorClient, receiver: CallbackServer) -> None:
    resettable.load_scenario('outcomes = "FAX_ERROR 8"')
    fax = resettable.send_accepted(maxRetries=0, callbackUrl=receiver.url(), callbackUrlContentType="application/json")
    delivery = receiver.next_delivery()
    assert delivery.headers["content-type"] == "application/json"
    assert list(delivery.json) == ["event", "eventTime", "fax", "file", "fileType"]
    assert (delivery.json["event"], delivery.json["fileType"]) == ("FAX_COMPLETED", "PDF")
    assert delivery.json["file"] == PDF_FILE["file"]
    shown = delivery.json["fax"]
    assert (shown["id"], shown["status"], shown["errorCode"]) == (fax["id"], "FAILURE", 8)
    assert (shown["numberOfPages"], shown["pagesSentSuccessfully"]) == (2, 1)


def test_credentials_in_the_url_are_used_and_not_shown(resettable: EmulatorClient, receiver: CallbackServer) -> None:
    url = receiver.url("/cb", credentials="me:s%3Aecret@")
    resettable.send_accepted(callbackUrl=url, callbackUrlContentType="application/json")
    delivery = receiver.next_delivery()
    assert delivery.headers["authorization"] == "Basic bWU6czplY3JldA=="
    assert "ecret" not in delivery.body.decode()


def test_each_recipient_has_a_callback_of_its_own(resettable: EmulatorClient, receiver: CallbackServer) -> None:
    faxes = resettable.send_fax(
        ["+12025550101", "+12025550102"],
        callbackUrl=receiver.url(),
        callbackUrlContentType="application/json",
    ).json()["faxes"]
    shown = {receiver.next_delivery().json["fax"]["id"] for _ in faxes}
    assert shown == {fax["id"] for fax in faxes}


def test_a_callback_has_no_document_if_the_service_saves_none(
    resettable: EmulatorClient, receiver: CallbackServer
) -> None:
    service = resettable.post("/services", json={"saveOutboundFaxDocuments": False}).json()
    url = receiver.url()
    resettable.send_accepted(serviceId=service["id"], callbackUrl=url, callbackUrlContentType="application/json")
    assert "file" not in receiver.next_delivery().json


def test_the_redelivery_schedule_is_the_documented_one() -> None:
    assert REDELIVERY_S[:4] == (300, 600, 1200, 1800)
    assert REDELIVERY_S[4:] == (6 * 3600,) * 12


def test_anything_but_200_is_delivered_again_up_to_16_times(receiver: CallbackServer) -> None:
    for _ in range(20):
        receiver.responses.put((204, "text/plain", b""))
    with running(EmulatorConfig(speed=10_000_000)) as server, EmulatorClient(server) as client:
        fax = client.send_accepted(callbackUrl=receiver.url())
        statuses = eventually(lambda: (s := callback_statuses(client, fax["id"])) and len(s) >= 17 and s)
        assert statuses == [204] * 17


def test_redelivery_stops_at_the_first_200(receiver: CallbackServer) -> None:
    for _ in range(2):
        receiver.responses.put((500, "text/plain", b"no"))
    with running(EmulatorConfig(speed=100_000)) as server, EmulatorClient(server) as client:
        fax = client.send_accepted(callbackUrl=receiver.url())
        statuses = eventually(lambda: (s := callback_statuses(client, fax["id"])) and 200 in s and s)
        assert statuses == [500, 500, 200]


def test_a_url_that_cannot_be_reached_is_recorded_as_800(resettable: EmulatorClient) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    fax = resettable.send_accepted(callbackUrl=f"http://127.0.0.1:{port}/")
    assert eventually(lambda: callback_statuses(resettable, fax["id"]))[0] == 800
    entry = next(entry for entry in resettable.ledger() if entry["id"] == fax["id"])
    assert entry["callbacks"][0]["error"] == f"Could not connect to URL: http://127.0.0.1:{port}/"


def test_a_receiver_that_does_not_answer_in_time_counts_as_failed() -> None:
    config = EmulatorConfig(speed=1000, callback_timeout_s=0.1)
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        running(config) as server,
        EmulatorClient(server) as client,
    ):
        fax = client.send_accepted(callbackUrl=f"http://127.0.0.1:{silent.getsockname()[1]}/")
        assert eventually(lambda: callback_statuses(client, fax["id"]))[0] == 800


def test_a_lost_callback_never_comes(resettable: EmulatorClient, receiver: CallbackServer) -> None:
    resettable.load_scenario('[[numbers]]\nto = "+12025550121"\ncallbacks = "lost"')
    lost = resettable.send_accepted("+12025550121", callbackUrl=receiver.url())
    resettable.wait_until_final(lost["id"])
    resettable.send_accepted("+12025550122", callbackUrl=receiver.url("/other"))
    assert receiver.next_delivery().path == "/other"
    assert callback_statuses(resettable, lost["id"]) == []


def test_a_doubled_callback_comes_twice(resettable: EmulatorClient, receiver: CallbackServer) -> None:
    resettable.load_scenario('callbacks = "doubled"')
    resettable.send_accepted(callbackUrl=receiver.url(), callbackUrlContentType="application/json")
    shown = [receiver.next_delivery().json["fax"]["id"] for _ in range(2)]
    assert shown[0] == shown[1]


def test_a_late_callback_comes_after_its_seconds(resettable: EmulatorClient, receiver: CallbackServer) -> None:
    resettable.load_scenario('callbacks = "late 0.2"')
    fax = resettable.send_accepted(callbackUrl=receiver.url())
    receiver.next_delivery()
    entry = eventually(lambda: next((e for e in resettable.ledger() if e["id"] == fax["id"] and e["callbacks"]), None))
    assert entry["callbacks"][0]["time"] - entry["finalTime"] >= 200


def test_an_early_callback_comes_before_the_answer_to_the_post(receiver: CallbackServer) -> None:
    with running(EmulatorConfig(latency_s=0.3)) as server, EmulatorClient(server) as client:
        client.load_scenario('callbacks = "early"')
        answer = client.send_fax(callbackUrl=receiver.url(), callbackUrlContentType="application/json")
        shown = receiver.deliveries.get_nowait().json["fax"]
        assert shown["id"] == answer.json()["id"]
        assert shown["status"] == "COMPLETED"
        assert answer.json()["status"] == "QUEUED"


def test_a_callback_out_of_order_is_delivered_after_a_later_one(
    resettable: EmulatorClient, receiver: CallbackServer
) -> None:
    resettable.load_scenario('[[numbers]]\nto = "+12025550131"\ncallbacks = "out_of_order 60"')
    first = resettable.send_accepted("+12025550131", callbackUrl=receiver.url("/first"))
    resettable.wait_until_final(first["id"])
    resettable.send_accepted("+12025550132", callbackUrl=receiver.url("/second"))
    assert [receiver.next_delivery().path for _ in range(2)] == ["/second", "/first"]


def test_a_held_callback_is_delivered_after_its_seconds_if_no_other_follows(
    resettable: EmulatorClient, receiver: CallbackServer
) -> None:
    resettable.load_scenario('callbacks = "out_of_order 0.1"')
    resettable.send_accepted(callbackUrl=receiver.url("/alone"))
    assert receiver.next_delivery().path == "/alone"


def test_the_callback_comes_even_if_the_answer_to_the_post_was_a_500(
    resettable: EmulatorClient, receiver: CallbackServer
) -> None:
    resettable.load_scenario('requests = "500_after"')
    resettable.send_fax(callbackUrl=receiver.url(), callbackUrlContentType="application/json")
    assert receiver.next_delivery().json["fax"]["status"] == "COMPLETED"


@pytest.mark.parametrize("pages", [2])
def test_each_page_causes_a_callback_if_the_service_is_configured_so(
    resettable: EmulatorClient, receiver: CallbackServer, pages: int
) -> None:
    service = resettable.post("/services", json={"inProgressNotifications": True}).json()
    content_type = "application/json"
    resettable.send_accepted(serviceId=service["id"], callbackUrl=receiver.url(), callbackUrlContentType=content_type)
    shown = [receiver.next_delivery().json for _ in range(pages + 1)]
    events = sorted(event["event"] for event in shown)
    assert events == ["FAX_COMPLETED", "TRANSMITTING_PAGE", "TRANSMITTING_PAGE"]
    assert all("file" not in event for event in shown if event["event"] == "TRANSMITTING_PAGE")
