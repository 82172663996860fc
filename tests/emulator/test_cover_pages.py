"""Cover pages."""

import base64
from typing import Any

import pytest

from tests.emulator.caller import PDF_FILE, Caller

FILE = {"fileContent": PDF_FILE["file"], "fileType": "PDF"}


@pytest.fixture
def service(emulator: Caller) -> str:
    return str(emulator.post("/services", json={}).json()["id"])


def test_a_cover_page_goes_through_its_life(emulator: Caller, service: str) -> None:
    path = f"/services/{service}/coverPages"
    made = emulator.post(path, json={"name": "Standard", "file": FILE}).json()
    assert (made["name"], made["serviceId"]) == ("Standard", service)
    assert made["file"]["fileType"] == "application/pdf"
    assert emulator.get(path).json()["coverPages"] == [made]
    assert emulator.get(f"{path}/{made['id']}").json() == made
    assert emulator.delete(f"{path}/{made['id']}").status_code == 204
    assert emulator.get(f"{path}/{made['id']}").status_code == 404
    assert emulator.delete(f"{path}/{made['id']}").status_code == 404


def test_a_fax_with_a_cover_page_has_its_pages_too(emulator: Caller, service: str) -> None:
    made = emulator.post(f"/services/{service}/coverPages", json={"name": "S", "file": FILE}).json()
    data = {"recipient": "Ms Example"}
    sent = emulator.sent(serviceId=service, coverPageId=made["id"], coverPageData=data)
    assert (sent["coverPageId"], sent["coverPageData"]) == (made["id"], data)
    assert emulator.final(sent["id"])["numberOfPages"] == 4


def test_the_cover_page_of_the_service_goes_on_every_fax(emulator: Caller, service: str) -> None:
    path = f"/services/{service}"
    made = emulator.post(f"{path}/coverPages", json={"name": "S", "file": FILE}).json()
    emulator.patch(path, json={"coverPageId": made["id"]})
    sent = emulator.sent(serviceId=service)
    assert sent["coverPageId"] == made["id"]
    assert emulator.final(sent["id"])["numberOfPages"] == 4
    emulator.delete(f"{path}/coverPages/{made['id']}")
    assert emulator.final(emulator.sent(serviceId=service)["id"])["numberOfPages"] == 2


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"file": FILE}, "name"),
        ({"name": "S"}, "file"),
        ({"name": "S", "file": {**FILE, "fileType": "DOCX"}}, "file.fileType"),
        ({"name": "S", "file": {**FILE, "fileContent": "###"}}, "file.fileContent"),
        (
            {"name": "S", "file": {**FILE, "fileContent": base64.b64encode(b"text").decode()}},
            "file.fileContent",
        ),
    ],
)
def test_a_bad_field_is_named(emulator: Caller, service: str, body: dict[str, Any], field: str) -> None:
    answer = emulator.post(f"/services/{service}/coverPages", json=body)
    assert answer.status_code == 422
    assert answer.json()["details"]["fieldViolations"][0]["field"] == field
