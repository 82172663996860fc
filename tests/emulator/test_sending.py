"""``POST /faxes`` as JSON: responses, settings, and invalid requests."""

import base64
from typing import Any

import pytest

from tests.emulator.emulator_client import PDF_FILE, TWO_PAGES, EmulatorClient
from tests.emulator.receiver import CallbackServer


def violations(answer: Any) -> dict[str, str]:
    body = answer.json()
    assert (answer.status_code, body["code"]) == (422, "422")
    return {entry["field"]: entry["description"] for entry in body["details"]["fieldViolations"]}


def test_one_recipient_as_text_gets_the_fax_itself(emulator: EmulatorClient) -> None:
    fax = emulator.send_accepted("+12025550101")
    assert fax["to"] == "+12025550101"
    assert fax["direction"] == "OUTBOUND"
    assert fax["status"] in ("QUEUED", "IN_PROGRESS")
    assert len(fax["id"]) == 26
    assert fax["hasFile"] is False
    assert fax["projectId"] == emulator.config.project_id


def test_one_recipient_in_a_list_gets_the_fax_itself(emulator: EmulatorClient) -> None:
    assert emulator.send_fax(["+12025550101"]).json()["to"] == "+12025550101"


def test_several_recipients_get_a_list_in_order_each_with_an_id(emulator: EmulatorClient) -> None:
    body = emulator.send_fax(["+12025550102", "+12025550101", "+12025550102"], labels={"job": "7"}).json()
    assert list(body) == ["faxes"]
    assert [fax["to"] for fax in body["faxes"]] == ["+12025550102", "+12025550101", "+12025550102"]
    assert len({fax["id"] for fax in body["faxes"]}) == 3
    assert all(fax["labels"] == {"job": "7"} for fax in body["faxes"])


def test_the_effective_settings_come_back(emulator: EmulatorClient) -> None:
    sent: dict[str, Any] = {
        "headerText": "Greetings",
        "headerPageNumbers": False,
        "headerTimeZone": "Europe/Berlin",
        "maxRetries": 0,
        "retryDelaySeconds": 30,
        "imageConversionMethod": "MONOCHROME",
        "resolution": "SUPERFINE",
        "labels": {"bulkfax-job": "b.1", "bulkfax-attempt": "2"},
        "callbackUrlContentType": "application/json",
    }
    fax = emulator.send_accepted(**sent, callbackUrl="http://127.0.0.1:9/x")
    assert {name: fax[name] for name in sent} == sent
    assert fax["callbackUrl"] == "http://127.0.0.1:9/x"


def test_missing_fields_get_the_settings_of_the_default_service(emulator: EmulatorClient) -> None:
    fax = emulator.send_accepted()
    assert fax["serviceId"] == emulator.default_service
    assert (fax["maxRetries"], fax["retryDelaySeconds"]) == (3, 60)
    assert (fax["imageConversionMethod"], fax["resolution"]) == ("HALFTONE", "FINE")
    assert (fax["headerText"], fax["headerPageNumbers"]) == ("-", True)
    assert fax["from"] == "+12025550100"


def test_a_named_service_gives_its_own_defaults(emulator: EmulatorClient) -> None:
    fields = {
        "numberOfRetries": 1,
        "retryDelaySeconds": 90,
        "resolution": "SUPERFINE",
        "imageConversionMethod": "MONOCHROME",
        "defaultFrom": "+12025550188",
    }
    service = emulator.post("/services", json=fields).json()
    fax = emulator.send_accepted(serviceId=service["id"])
    assert fax["serviceId"] == service["id"]
    assert (fax["maxRetries"], fax["retryDelaySeconds"]) == (1, 90)
    assert (fax["imageConversionMethod"], fax["resolution"]) == ("MONOCHROME", "SUPERFINE")
    assert fax["from"] == "+12025550188"


def test_a_null_field_is_a_field_left_out(emulator: EmulatorClient) -> None:
    assert emulator.send_accepted(serviceId=None, headerText=None)["headerText"] == "-"


def test_credentials_in_the_callback_url_are_masked_when_read(emulator: EmulatorClient) -> None:
    fax = emulator.send_accepted(callbackUrl="http://me:secret@127.0.0.1:9/x?a=b@c")
    assert fax["callbackUrl"] == "http://***:***@127.0.0.1:9/x?a=b@c"
    assert "secret" not in emulator.get(f"/faxes/{fax['id']}").text


def test_pages_are_counted_and_paid_for(emulator: EmulatorClient) -> None:
    fax = emulator.wait_until_final(emulator.send_accepted()["id"])
    assert (fax["status"], fax["numberOfPages"], fax["pagesSentSuccessfully"]) == ("COMPLETED", 2, 2)
    assert fax["price"] == {"currencyCode": "USD", "amount": "0.090"}
    assert fax["hasFile"] is True
    assert fax["completedTime"] >= fax["createTime"]


def test_the_free_test_number_costs_nothing(emulator: EmulatorClient) -> None:
    fax = emulator.wait_until_final(emulator.send_accepted("+19898989898")["id"])
    assert (fax["status"], fax["price"]["amount"]) == ("COMPLETED", "0.000")


def test_a_send_without_any_content_is_a_400_with_its_odd_code(emulator: EmulatorClient) -> None:
    answer = emulator.post("/faxes", json={"to": "+12025550101"})
    assert (answer.status_code, answer.json()["code"]) == (400, "404")
    with_guess = {"to": "+12025550101", "contentBase64": PDF_FILE["file"]}
    assert emulator.post("/faxes", json=with_guess).status_code == 400


@pytest.mark.parametrize("body", [b"{", b"[]", b"null", b"", b"\xff", b"[" * 100_000])
def test_a_body_that_is_no_json_object_is_a_400(emulator: EmulatorClient, body: bytes) -> None:
    answer = emulator.post("/faxes", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400


def test_another_content_type_is_a_415(emulator: EmulatorClient) -> None:
    answer = emulator.post("/faxes", content=b"to=1", headers={"Content-Type": "text/plain"})
    assert answer.status_code == 415


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("to", None),
        ("to", []),
        ("to", "2025550101"),
        ("to", "+0123456789"),
        ("to", "+1202555010x"),
        ("to", 12025550101),
        ("from", "5550101"),
        ("contentUrl", "ftp://example.com/x.pdf"),
        ("contentUrl", ["not a url"]),
        ("contentUrl", "http://[x/"),
        ("files", "text"),
        ("headerText", "x" * 51),
        ("headerPageNumbers", "yes"),
        ("headerTimeZone", "Mars/Olympus"),
        ("headerTimeZone", "../etc/passwd"),
        ("maxRetries", 6),
        ("maxRetries", "1"),
        ("maxRetries", True),
        ("retryDelaySeconds", -1),
        ("imageConversionMethod", "COLOUR"),
        ("resolution", "ULTRA"),
        ("labels", {"job": 7}),
        ("labels", ["job"]),
        ("callbackUrl", "example.com"),
        ("callbackUrlContentType", "text/plain"),
        ("coverPageData", {"name": 1}),
    ],
)
def test_a_bad_parameter_is_a_422_that_names_its_field(emulator: EmulatorClient, field: str, value: object) -> None:
    body = {"to": "+12025550101", "files": [PDF_FILE], field: value}
    assert field in violations(emulator.post("/faxes", json=body))


@pytest.mark.parametrize(
    "file",
    [
        {"file": "###", "fileType": "PDF"},
        {"file": "", "fileType": "PDF"},
        {"file": PDF_FILE["file"]},
        {"file": PDF_FILE["file"], "fileType": "XML"},
        {"fileType": "PDF"},
        "JVBERi0=",
    ],
)
def test_a_bad_file_is_a_422_that_names_which(emulator: EmulatorClient, file: object) -> None:
    answer = emulator.post("/faxes", json={"to": "+12025550101", "files": [PDF_FILE, file]})
    assert list(violations(answer)) == ["files[1]"]


def test_one_bad_number_among_many_refuses_the_whole_request(emulator: EmulatorClient) -> None:
    before = len(emulator.ledger())
    answer = emulator.send_fax(["+12025550101", "12", "+12025550102"])
    assert list(violations(answer)) == ["to[1]"]
    assert len(emulator.ledger()) == before


def test_an_unknown_service_or_cover_page_is_a_404(emulator: EmulatorClient) -> None:
    assert emulator.send_fax(serviceId="01HXXXXXXXXXXXXXXXXXXXXXXX").status_code == 404
    assert emulator.send_fax(coverPageId="01HXXXXXXXXXXXXXXXXXXXXXXX").status_code == 404


def test_a_file_over_20_megabytes_is_a_413(emulator: EmulatorClient) -> None:
    large = base64.b64encode(b"%PDF-" + bytes(20 * 1024 * 1024)).decode()
    answer = emulator.post("/faxes", json={"to": "+12025550101", "files": [{"file": large, "fileType": "PDF"}]})
    assert (answer.status_code, answer.json()["code"]) == (413, "413")


@pytest.mark.parametrize(
    ("content", "file_type", "code"), [(b"no pdf at all", "PDF", 133), (b"%PDF-1.4 odd", "PDF", None)]
)
def test_content_that_is_no_pdf_fails_in_conversion_not_in_the_request(
    emulator: EmulatorClient, content: bytes, file_type: str, code: int | None
) -> None:
    file = {"file": base64.b64encode(content).decode(), "fileType": file_type}
    answer = emulator.post("/faxes", json={"to": "+12025550101", "files": [file]})
    fax = emulator.wait_until_final(answer.json()["id"])
    assert fax.get("errorCode") == code
    if code is not None:
        assert (fax["errorType"], fax["hasFile"]) == ("DOCUMENT_CONVERSION_ERROR", False)


def test_content_from_a_url_comes_before_files(emulator: EmulatorClient, receiver: CallbackServer) -> None:
    receiver.responses.put((200, "application/pdf", TWO_PAGES))
    text = {"file": base64.b64encode(b"hello").decode(), "fileType": "TXT"}
    body = {"to": "+12025550101", "contentUrl": receiver.url("/letter", "u:p@"), "files": [text]}
    sent = emulator.post("/faxes", json=body).json()
    assert sent["contentUrl"] == [receiver.url("/letter", "***:***@")]
    assert receiver.next_delivery().headers["authorization"] == "Basic dTpw"
    assert emulator.wait_until_final(sent["id"])["numberOfPages"] == 3


def test_the_same_url_is_fetched_once_for_many_faxes(emulator: EmulatorClient, receiver: CallbackServer) -> None:
    receiver.responses.put((200, "application/pdf", TWO_PAGES))
    body = {"to": ["+12025550101", "+12025550102"], "contentUrl": [receiver.url("/once")]}
    faxes = emulator.post("/faxes", json=body).json()["faxes"]
    assert {emulator.wait_until_final(fax["id"])["numberOfPages"] for fax in faxes} == {2}
    assert receiver.deliveries.qsize() == 1


@pytest.mark.parametrize(
    ("answer", "code"),
    [((404, "text/plain", b"gone"), 54), ((200, "application/pdf", b""), 55), ((200, "text/xml", b"<a/>"), 130)],
)
def test_a_url_that_gives_no_document_fails_in_conversion(
    emulator: EmulatorClient, receiver: CallbackServer, answer: tuple[int, str, bytes], code: int
) -> None:
    receiver.responses.put(answer)
    body = {"to": "+12025550101", "contentUrl": receiver.url(f"/{code}")}
    fax = emulator.wait_until_final(emulator.post("/faxes", json=body).json()["id"])
    assert (fax["errorType"], fax["errorCode"]) == ("DOCUMENT_CONVERSION_ERROR", code)
