"""Cover pages."""

import base64
from typing import Any

import pytest

from tests.emulator.emulator_client import PDF_FILE, EmulatorClient

FILE = {"fileContent": PDF_FILE["file"], "fileType": "PDF"}


@pytest.fixture
def service(emulator: EmulatorClient) -> str:
    return str(emulator.post("/services", json={}).json()["id"])


def test_a_cover_page_is_created_read_and_deleted(emulator: EmulatorClient, service: str) -> None:
    path = f"/services/{service}/coverPages"
    created = emulator.post(path, json={"name": "Standard", "file": FILE}).json()
    assert (created["name"], created["serviceId"]) == ("Standard", service)
    assert created["file"]["fileType"] == "application/pdf"
    assert emulator.get(path).json()["coverPages"] == [created]
    assert emulator.get(f"{path}/{created['id']}").json() == created
    assert emulator.delete(f"{path}/{created['id']}").status_code == 204
    assert emulator.get(f"{path}/{created['id']}").status_code == 404
    assert emulator.delete(f"{path}/{created['id']}").status_code == 404


def test_a_fax_with_a_cover_page_has_its_pages_too(emulator: EmulatorClient, service: str) -> None:
    created = emulator.post(f"/services/{service}/coverPages", json={"name": "S", "file": FILE}).json()
    data = {"recipient": "Ms Example"}
    sent = emulator.send_accepted(serviceId=service, coverPageId=created["id"], coverPageData=data)
    assert (sent["coverPageId"], sent["coverPageData"]) == (created["id"], data)
    assert emulator.wait_until_final(sent["id"])["numberOfPages"] == 4


def test_the_cover_page_of_the_service_goes_on_every_fax(emulator: EmulatorClient, service: str) -> None:
    path = f"/services/{service}"
    created = emulator.post(f"{path}/coverPages", json={"name": "S", "file": FILE}).json()
    emulator.patch(path, json={"coverPageId": created["id"]})
    sent = emulator.send_accepted(serviceId=service)
    assert sent["coverPageId"] == created["id"]
    assert emulator.wait_until_final(sent["id"])["numberOfPages"] == 4
    emulator.delete(f"{path}/coverPages/{created['id']}")
    assert emulator.wait_until_final(emulator.send_accepted(serviceId=service)["id"])["numberOfPages"] == 2


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
def test_a_bad_field_is_named(emulator: EmulatorClient, service: str, body: dict[str, Any], field: str) -> None:
    answer = emulator.post(f"/services/{service}/coverPages", json=body)
    assert answer.status_code == 422
    assert answer.json()["details"]["fieldViolations"][0]["field"] == field
