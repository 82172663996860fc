"""The endpoints of services and their numbers."""

import pytest

from tests.emulator.emulator_client import EmulatorClient

UNKNOWN = "/services/01HXXXXXXXXXXXXXXXXXXXXXXX"


def test_a_default_service_is_there_from_the_start(emulator: EmulatorClient) -> None:
    service = emulator.get(f"/services/{emulator.default_service}").json()
    assert service["defaultForProject"] is True
    assert service["projectId"] == emulator.config.project_id
    assert (service["numberOfRetries"], service["retryDelaySeconds"]) == (3, 60)
    assert service["saveOutboundFaxDocuments"] is True
    assert service["resolution"] == "FINE"


def test_an_empty_body_creates_a_service_of_defaults(emulator: EmulatorClient) -> None:
    answer = emulator.post("/services")
    assert answer.status_code == 200
    assert answer.json()["defaultForProject"] is False
    assert emulator.post("/services", json={}).status_code == 200


def test_a_service_is_created_changed_and_deleted(emulator: EmulatorClient) -> None:
    created = emulator.post("/services", json={"name": "Letters", "numberOfRetries": 1}).json()
    path = f"/services/{created['id']}"
    changed = emulator.patch(path, json={"name": "Reminders", "id": "other", "unknown": 1}).json()
    assert (changed["name"], changed["numberOfRetries"], changed["id"]) == ("Reminders", 1, created["id"])
    assert emulator.get(path).json() == changed
    assert emulator.delete(path, headers={"Content-Type": "application/json"}).status_code == 204
    assert emulator.get(path).status_code == 404


def test_null_takes_a_field_back_to_its_default(emulator: EmulatorClient) -> None:
    created = emulator.post("/services", json={"numberOfRetries": 1, "defaultFrom": "+12025550188"}).json()
    changed = emulator.patch(f"/services/{created['id']}", json={"numberOfRetries": None, "defaultFrom": None}).json()
    assert changed["numberOfRetries"] == 3
    assert "defaultFrom" not in changed


def test_the_default_moves_to_the_service_that_asks_for_it(emulator: EmulatorClient) -> None:
    old = emulator.default_service
    created = emulator.post("/services", json={"defaultForProject": True}).json()
    assert emulator.default_service == created["id"]
    assert emulator.send_accepted()["serviceId"] == created["id"]
    emulator.patch(f"/services/{old}", json={"defaultForProject": True})
    assert emulator.default_service == old


def test_credentials_in_a_webhook_url_are_redacted(emulator: EmulatorClient) -> None:
    created = emulator.post("/services", json={"incomingWebhookUrl": "https://me:pw@example.com/in"}).json()
    assert created["incomingWebhookUrl"] == "https://***:***@example.com/in"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "x" * 61),
        ("incomingWebhookUrl", "nowhere"),
        ("webhookContentType", "text/xml"),
        ("defaultForProject", "yes"),
        ("defaultFrom", "5550101"),
        ("numberOfRetries", 6),
        ("retryDelaySeconds", -1),
        ("imageConversionMethod", "X"),
        ("saveInboundFaxDocuments", 1),
        ("resolution", "X"),
    ],
)
@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_a_bad_field_is_named(emulator: EmulatorClient, method: str, field: str, value: object) -> None:
    path = "/services" if method == "POST" else f"/services/{emulator.default_service}"
    answer = emulator.request(method, path, json={field: value})
    assert answer.status_code == 422
    assert answer.json()["details"]["fieldViolations"][0]["field"] == field


def test_services_are_paged_by_twenty(emulator: EmulatorClient) -> None:
    for _ in range(21):
        emulator.post("/services", json={})
    first, second = (emulator.get(f"/services?page={page}").json() for page in (1, 2))
    assert (len(first["services"]), first["pageSize"]) == (20, 20)
    ids = [service["id"] for page in (first, second) for service in page["services"]]
    assert len(ids) == len(set(ids)) > 20


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_an_unknown_service_is_a_404(emulator: EmulatorClient, method: str) -> None:
    assert emulator.request(method, UNKNOWN, json={}).status_code == 404
    assert emulator.get(f"{UNKNOWN}/numbers").status_code == 404


def test_numbers_belong_to_a_service_until_it_goes(emulator: EmulatorClient) -> None:
    created = emulator.post("/services", json={}).json()
    number = {"phoneNumber": "+12025550166", "serviceId": created["id"]}
    assert emulator.control("POST", "numbers", json=number).status_code == 200
    body = emulator.get(f"/services/{created['id']}/numbers").json()
    assert body["numbers"] == [{**number, "projectId": emulator.config.project_id}]
    assert body["totalItems"] == 1
    emulator.delete(f"/services/{created['id']}")
    emulator.control("POST", "numbers", json={"phoneNumber": "+12025550166"})
    listed = emulator.get(f"/services/{emulator.default_service}/numbers?pageSize=100").json()["numbers"]
    assert "+12025550166" in [entry["phoneNumber"] for entry in listed]
