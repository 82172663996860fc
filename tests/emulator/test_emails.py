"""The endpoints of fax to email."""

from typing import Any

import pytest

from tests.emulator.emulator_client import EmulatorClient

NUMBER = "+12025550101"


@pytest.fixture
def path(emulator: EmulatorClient) -> str:
    return f"/services/{emulator.post('/services', json={}).json()['id']}/emails"


def add(emulator: EmulatorClient, path: str, email: str, *numbers: Any) -> Any:
    return emulator.post(path, json={"email": email, "phoneNumbers": list(numbers)}).json()


def test_an_address_has_numbers_with_permissions(emulator: EmulatorClient, path: str) -> None:
    created = add(emulator, path, "a@example.com", {"number": NUMBER, "permissions": "send"}, "+442079460101")
    assert created["phoneNumbers"] == [
        {"number": NUMBER, "permissions": "send"},
        {"number": "+442079460101", "permissions": "both"},
    ]
    assert created["projectId"] == emulator.config.project_id
    assert created["createdAt"].endswith("Z")
    assert emulator.get(path).json()["emails"] == [created]
    listed = emulator.get(f"{path}/a@example.com/numbers").json()
    assert [(entry["phoneNumber"], entry["permissions"]) for entry in listed["phoneNumbers"]] == [
        (entry["number"], entry["permissions"]) for entry in created["phoneNumbers"]
    ]
    assert all(entry["projectId"] and entry["serviceId"] for entry in listed["phoneNumbers"])
    assert listed["totalItems"] == 2


def test_an_address_without_numbers_is_answered_but_not_kept(emulator: EmulatorClient, path: str) -> None:
    assert add(emulator, path, "a@example.com")["phoneNumbers"] == []
    assert emulator.get(path).json()["totalItems"] == 0


def test_the_numbers_of_an_address_are_replaced(emulator: EmulatorClient, path: str) -> None:
    add(emulator, path, "a@example.com", NUMBER)
    numbers = [{"number": "+442079460101", "permissions": "receive"}]
    answer = emulator.put(f"{path}/a@example.com", json={"phoneNumbers": numbers})
    assert answer.json()["phoneNumbers"] == numbers
    assert emulator.put(f"{path}/b@example.com", json={"phoneNumbers": numbers}).status_code == 404


@pytest.mark.parametrize("address", ["a@example.com", "a%40example.com"])
def test_an_address_is_removed_even_with_a_json_text_as_body(emulator: EmulatorClient, path: str, address: str) -> None:
    add(emulator, path, "a@example.com", NUMBER)
    headers = {"Content-Type": "application/json"}
    answer = emulator.request("DELETE", f"{path}/{address}", content=b'"a@example.com"', headers=headers)
    assert answer.status_code == 204
    assert emulator.delete(f"{path}/{address}").status_code == 404


@pytest.mark.parametrize("number", ["+12025550101", "%2B12025550101"])
def test_the_addresses_of_a_number_are_plain_text(emulator: EmulatorClient, path: str, number: str) -> None:
    add(emulator, path, "a@example.com", NUMBER)
    add(emulator, path, "b@example.com", "+442079460101")
    body = emulator.get(f"{path.removesuffix('/emails')}/numbers/{number}/emails").json()
    assert body["emails"] == ["a@example.com"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"email": "nobody", "phoneNumbers": [NUMBER]}, "email"),
        ({"phoneNumbers": [NUMBER]}, "email"),
        ({"email": "a@example.com", "phoneNumbers": NUMBER}, "phoneNumbers"),
        ({"email": "a@example.com", "phoneNumbers": ["12"]}, "phoneNumbers[0].number"),
        (
            {"email": "a@example.com", "phoneNumbers": [{"number": NUMBER, "permissions": "x"}]},
            "phoneNumbers[0].permissions",
        ),
    ],
)
def test_a_bad_field_is_named(emulator: EmulatorClient, path: str, body: dict[str, Any], field: str) -> None:
    answer = emulator.post(path, json=body)
    assert answer.status_code == 422
    assert answer.json()["details"]["fieldViolations"][0]["field"] == field


def test_an_unknown_service_is_a_404(emulator: EmulatorClient) -> None:
    assert emulator.get("/services/x/emails").status_code == 404
