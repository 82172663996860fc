"""The resources of a service: numbers, email addresses and cover pages, against the emulator over HTTP."""

from pathlib import Path

import pytest

from tests.cli.conftest import Bulkfax
from tests.cli.provider.conftest import RunJson
from tests.emulator.emulator_client import TWO_PAGES, EmulatorClient


@pytest.fixture
def service(emulator: EmulatorClient) -> str:
    """Create a service with one number and return its ID."""
    created = str(emulator.post("/services", json={"name": "test"}).json()["id"])
    emulator.control("POST", "numbers", json={"phoneNumber": "+12125550100", "serviceId": created})
    return created


@pytest.fixture
def page(tmp_path: Path) -> Path:
    path = tmp_path / "page.pdf"
    path.write_bytes(TWO_PAGES)
    return path


def test_the_numbers_of_a_service_are_listed(provider: Bulkfax, run_json: RunJson, service: str) -> None:
    assert [entry["phoneNumber"] for entry in run_json("numbers", "list", "--service", service)["numbers"]] == [
        "+12125550100"
    ]
    assert "+12125550100" in provider("numbers", "list", "--service", service).out


def test_a_service_without_number_says_where_numbers_come_from(provider: Bulkfax, emulator: EmulatorClient) -> None:
    bare = emulator.post("/services", json={}).json()["id"]
    assert "dashboard" in provider("numbers", "list", "--service", bare).err


def test_an_address_is_created_changed_shown_and_deleted(provider: Bulkfax, run_json: RunJson, service: str) -> None:
    of_service = ("--service", service)
    created = run_json("emails", "create", "ann@example.com", "--number", "+12125550100:receive", *of_service)
    assert created["phoneNumbers"] == [{"number": "+12125550100", "permissions": "receive"}]
    assert run_json("numbers", "emails", "+12125550100", *of_service) == {"emails": ["ann@example.com"]}
    run_json(
        "emails", "update", "ann@example.com", "--number", "+12125550100", "--number", "+12125550101:send", *of_service
    )
    shown = run_json("emails", "show", "ann@example.com", *of_service)
    assert [(entry["number"], entry["permissions"]) for entry in shown["phoneNumbers"]] == [
        ("+12125550100", "both"),
        ("+12125550101", "send"),
    ]
    assert "+12125550101 send" in provider("emails", "list", *of_service).out
    assert provider("emails", "delete", "ann@example.com", *of_service).status == 1, "deleted without confirmation"
    assert run_json("emails", "delete", "ann@example.com", "--yes", *of_service) == {"deleted": "ann@example.com"}
    assert run_json("emails", "list", *of_service) == {"emails": []}


def test_the_default_service_is_used_if_none_is_named(run_json: RunJson, emulator: EmulatorClient) -> None:
    run_json("emails", "create", "bo@example.com", "--number", "+12125550102")
    assert emulator.get(f"/services/{emulator.default_service}/emails").json()["emails"][0]["email"] == "bo@example.com"


def test_an_address_without_number_or_with_unknown_permissions_is_wrong_usage(provider: Bulkfax) -> None:
    assert provider("emails", "create", "ann@example.com").status == 2
    ran = provider("emails", "create", "ann@example.com", "--number", "+12125550100:read")
    assert (ran.status, "both, send, receive" in ran.err) == (2, True)


def test_a_cover_page_is_added_shown_and_deleted(
    provider: Bulkfax, run_json: RunJson, service: str, page: Path, emulator: EmulatorClient
) -> None:
    of_service = ("--service", service)
    created = run_json("cover-pages", "create", "Blue", page, *of_service)
    assert emulator.send_accepted(serviceId=service, coverPageId=created["id"])["coverPageId"] == created["id"]
    assert run_json("cover-pages", "show", created["id"], *of_service)["name"] == "Blue"
    assert created["id"] in provider("cover-pages", "list", *of_service).out
    assert provider("cover-pages", "delete", created["id"], *of_service).status == 1, "deleted without confirmation"
    assert run_json("cover-pages", "delete", created["id"], "--yes", *of_service) == {"deleted": created["id"]}
    assert run_json("cover-pages", "list", *of_service) == {"coverPages": []}


@pytest.mark.parametrize(("content", "says"), [(None, "cannot be read"), (b"text", "not a PDF")])
def test_an_unusable_cover_page_is_an_error(
    provider: Bulkfax, tmp_path: Path, content: bytes | None, says: str
) -> None:
    if content is not None:
        (tmp_path / "page.pdf").write_bytes(content)
    ran = provider("cover-pages", "create", "Blue", tmp_path / "page.pdf")
    assert (ran.status, says in ran.err) == (1, True)


@pytest.mark.parametrize(
    "words",
    [
        ("emails", "show", "no@example.com"),
        ("emails", "update", "no@example.com", "--number", "+12125550100"),
        ("emails", "delete", "no@example.com", "--yes"),
        ("cover-pages", "show", "nothing"),
        ("cover-pages", "delete", "nothing", "--yes"),
        ("numbers", "list", "--service", "nothing"),
    ],
)
def test_an_unknown_resource_is_an_error(provider: Bulkfax, words: tuple[str, ...]) -> None:
    ran = provider(*words)
    assert ran.status == 1
    assert ran.err.startswith("error: the provider does not know that")


def test_without_a_default_service_the_error_names_the_option(provider: Bulkfax, emulator: EmulatorClient) -> None:
    default = emulator.default_service
    emulator.patch(f"/services/{default}", json={"defaultForProject": False})
    try:
        ran = provider("numbers", "list")
        assert (ran.status, "--service" in ran.err) == (1, True)
    finally:
        emulator.patch(f"/services/{default}", json={"defaultForProject": True})
