"""Callbacks: both content types, credentials, redelivery, and the ways in which they go wrong."""

import json
import socket

import pytest

from dispatcher.emulator import EmulatorConfig, running
from dispatcher.emulator.callbacks import REDELIVERY_S
from tests.emulator.caller import PDF_FILE, TWO_PAGES, Caller, eventually
from tests.emulator.receiver import Receiver


def callbacks_of(caller: Caller, fax_id: str) -> list[int]:
    entry = next(entry for entry in caller.ledger() if entry["id"] == fax_id)
    return [tried["status"] for tried in entry["callbacks"]]


def test_by_default_the_end_is_told_as_multipart_with_the_document(well: Caller, receiver: Receiver) -> None:
    fax = well.sent(callbackUrl=receiver.url("/cb?x=1"), labels={"job": "7"})
    got = receiver.next()
    parts = got.parts
    assert got.path == "/cb?x=1"
    assert list(parts) == ["event", "eventTime", "fax", "file"]
    assert parts["event"].get_payload() == "FAX_COMPLETED"
    told = json.loads(str(parts["fax"].get_payload()))
    assert (told["id"], told["status"], told["labels"]) == (fax["id"], "COMPLETED", {"job": "7"})
    assert parts["file"].get_content_type() == "application/pdf"
    assert parts["file"].get_filename() == f"{fax['id']}.pdf"
    assert parts["file"].get_payload(decode=True) == TWO_PAGES.rstrip(b"\n") + b"\n"


def test_asked_for_json_it_carries_the_document_as_base64(well: Caller, receiver: Receiver) -> None:
    well.scenario('outcomes = "FAX_ERROR 8"')
    fax = well.sent(maxRetries=0, callbackUrl=receiver.url(), callbackUrlContentType="application/json")
    got = receiver.next()
    assert got.headers["content-type"] == "application/json"
    assert list(got.json) == ["event", "eventTime", "fax", "file", "fileType"]
    assert (got.json["event"], got.json["fileType"]) == ("FAX_COMPLETED", "PDF")
    assert got.json["file"] == PDF_FILE["file"]
    told = got.json["fax"]
    assert (told["id"], told["status"], told["errorCode"]) == (fax["id"], "FAILURE", 8)
    assert (told["numberOfPages"], told["pagesSentSuccessfully"]) == (2, 1)


def test_credentials_in_the_url_are_used_and_not_told(well: Caller, receiver: Receiver) -> None:
    url = receiver.url("/cb", credentials="me:s%3Aecret@")
    well.sent(callbackUrl=url, callbackUrlContentType="application/json")
    got = receiver.next()
    assert got.headers["authorization"] == "Basic bWU6czplY3JldA=="
    assert "ecret" not in got.body.decode()


def test_each_recipient_has_a_callback_of_its_own(well: Caller, receiver: Receiver) -> None:
    faxes = well.fax(
        ["+12025550101", "+12025550102"],
        callbackUrl=receiver.url(),
        callbackUrlContentType="application/json",
    ).json()["faxes"]
    told = {receiver.next().json["fax"]["id"] for _ in faxes}
    assert told == {fax["id"] for fax in faxes}


def test_a_service_that_saves_no_documents_sends_none_along(well: Caller, receiver: Receiver) -> None:
    service = well.post("/services", json={"saveOutboundFaxDocuments": False}).json()
    url = receiver.url()
    well.sent(serviceId=service["id"], callbackUrl=url, callbackUrlContentType="application/json")
    assert "file" not in receiver.next().json


def test_the_redelivery_schedule_is_the_documented_one() -> None:
    assert REDELIVERY_S[:4] == (300, 600, 1200, 1800)
    assert REDELIVERY_S[4:] == (6 * 3600,) * 12


def test_anything_but_200_is_delivered_again_up_to_16_times(receiver: Receiver) -> None:
    for _ in range(20):
        receiver.answers.put((204, "text/plain", b""))
    with running(EmulatorConfig(speed=10_000_000)) as where, Caller(where) as caller:
        fax = caller.sent(callbackUrl=receiver.url())
        statuses = eventually(lambda: (s := callbacks_of(caller, fax["id"])) and len(s) >= 17 and s)
        assert statuses == [204] * 17


def test_redelivery_stops_at_the_first_200(receiver: Receiver) -> None:
    for _ in range(2):
        receiver.answers.put((500, "text/plain", b"no"))
    with running(EmulatorConfig(speed=100_000)) as where, Caller(where) as caller:
        fax = caller.sent(callbackUrl=receiver.url())
        statuses = eventually(lambda: (s := callbacks_of(caller, fax["id"])) and 200 in s and s)
        assert statuses == [500, 500, 200]


def test_a_url_that_cannot_be_reached_is_recorded_as_800(well: Caller) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    fax = well.sent(callbackUrl=f"http://127.0.0.1:{port}/")
    assert eventually(lambda: callbacks_of(well, fax["id"]))[0] == 800
    entry = next(entry for entry in well.ledger() if entry["id"] == fax["id"])
    assert entry["callbacks"][0]["error"] == f"Could not connect to URL: http://127.0.0.1:{port}/"


def test_a_receiver_that_does_not_answer_in_time_counts_as_failed() -> None:
    config = EmulatorConfig(speed=1000, callback_timeout_s=0.1)
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        running(config) as where,
        Caller(where) as caller,
    ):
        fax = caller.sent(callbackUrl=f"http://127.0.0.1:{silent.getsockname()[1]}/")
        assert eventually(lambda: callbacks_of(caller, fax["id"]))[0] == 800


def test_a_lost_callback_never_comes(well: Caller, receiver: Receiver) -> None:
    well.scenario('[[numbers]]\nto = "+12025550121"\ncallbacks = "lost"')
    lost = well.sent("+12025550121", callbackUrl=receiver.url())
    well.final(lost["id"])
    well.sent("+12025550122", callbackUrl=receiver.url("/other"))
    assert receiver.next().path == "/other"
    assert callbacks_of(well, lost["id"]) == []


def test_a_doubled_callback_comes_twice(well: Caller, receiver: Receiver) -> None:
    well.scenario('callbacks = "doubled"')
    well.sent(callbackUrl=receiver.url(), callbackUrlContentType="application/json")
    told = [receiver.next().json["fax"]["id"] for _ in range(2)]
    assert told[0] == told[1]


def test_a_late_callback_comes_after_its_seconds(well: Caller, receiver: Receiver) -> None:
    well.scenario('callbacks = "late 0.2"')
    fax = well.sent(callbackUrl=receiver.url())
    receiver.next()
    entry = eventually(lambda: next(e for e in well.ledger() if e["id"] == fax["id"] and e["callbacks"]))
    assert entry["callbacks"][0]["time"] - entry["finalTime"] >= 200


def test_an_early_callback_comes_before_the_answer_to_the_post(receiver: Receiver) -> None:
    with running(EmulatorConfig(latency_s=0.3)) as where, Caller(where) as caller:
        caller.scenario('callbacks = "early"')
        answer = caller.fax(callbackUrl=receiver.url(), callbackUrlContentType="application/json")
        told = receiver.got.get_nowait().json["fax"]
        assert told["id"] == answer.json()["id"]
        assert told["status"] == "COMPLETED"
        assert answer.json()["status"] == "QUEUED"


def test_a_callback_out_of_order_is_overtaken_by_a_later_one(well: Caller, receiver: Receiver) -> None:
    well.scenario('[[numbers]]\nto = "+12025550131"\ncallbacks = "out_of_order 60"')
    first = well.sent("+12025550131", callbackUrl=receiver.url("/first"))
    well.final(first["id"])
    well.sent("+12025550132", callbackUrl=receiver.url("/second"))
    assert [receiver.next().path for _ in range(2)] == ["/second", "/first"]


def test_a_callback_held_back_comes_at_last_if_nothing_overtakes_it(well: Caller, receiver: Receiver) -> None:
    well.scenario('callbacks = "out_of_order 0.1"')
    well.sent(callbackUrl=receiver.url("/alone"))
    assert receiver.next().path == "/alone"


def test_the_callback_comes_even_if_the_answer_to_the_post_was_a_500(well: Caller, receiver: Receiver) -> None:
    well.scenario('requests = "500_after"')
    well.fax(callbackUrl=receiver.url(), callbackUrlContentType="application/json")
    assert receiver.next().json["fax"]["status"] == "COMPLETED"


@pytest.mark.parametrize("pages", [2])
def test_each_page_is_announced_if_the_service_wants_it(well: Caller, receiver: Receiver, pages: int) -> None:
    service = well.post("/services", json={"inProgressNotifications": True}).json()
    kind = "application/json"
    well.sent(serviceId=service["id"], callbackUrl=receiver.url(), callbackUrlContentType=kind)
    told = [receiver.next().json for _ in range(pages + 1)]
    events = sorted(event["event"] for event in told)
    assert events == ["FAX_COMPLETED", "TRANSMITTING_PAGE", "TRANSMITTING_PAGE"]
    assert all("file" not in event for event in told if event["event"] == "TRANSMITTING_PAGE")
