"""What belongs to a service: numbers, mail addresses and cover pages, against the emulator over HTTP."""

from pathlib import Path

import pytest

from tests.cli.conftest import Bulkfax
from tests.cli.provider.conftest import Answer
from tests.emulator.caller import TWO_PAGES, Caller


@pytest.fixture
def service(emulator: Caller) -> str:
    """Id of a new service with one number."""
    made = str(emulator.post("/services", json={"name": "test"}).json()["id"])
    emulator.tool("POST", "numbers", json={"phoneNumber": "+12125550100", "serviceId": made})
    return made


@pytest.fixture
def page(tmp_path: Path) -> Path:
    path = tmp_path / "page.pdf"
    path.write_bytes(TWO_PAGES)
    return path


def test_the_numbers_of_a_service_are_listed(provider: Bulkfax, answer: Answer, service: str) -> None:
    assert [one["phoneNumber"] for one in answer("numbers", "list", "--service", service)["numbers"]] == [
        "+12125550100"
    ]
    assert "+12125550100" in provider("numbers", "list", "--service", service).out


def test_a_service_without_number_says_where_numbers_come_from(provider: Bulkfax, emulator: Caller) -> None:
    bare = emulator.post("/services", json={}).json()["id"]
    assert "dashboard" in provider("numbers", "list", "--service", bare).err


def test_an_address_is_made_changed_shown_and_deleted(provider: Bulkfax, answer: Answer, service: str) -> None:
    at = ("--service", service)
    made = answer("emails", "create", "ann@example.com", "--number", "+12125550100:receive", *at)
    assert made["phoneNumbers"] == [{"number": "+12125550100", "permissions": "receive"}]
    assert answer("numbers", "emails", "+12125550100", *at) == {"emails": ["ann@example.com"]}
    answer("emails", "update", "ann@example.com", "--number", "+12125550100", "--number", "+12125550101:send", *at)
    shown = answer("emails", "show", "ann@example.com", *at)
    assert [(one["number"], one["permissions"]) for one in shown["phoneNumbers"]] == [
        ("+12125550100", "both"),
        ("+12125550101", "send"),
    ]
    assert "+12125550101 send" in provider("emails", "list", *at).out
    assert provider("emails", "delete", "ann@example.com", *at).status == 1, "deleted unasked"
    assert answer("emails", "delete", "ann@example.com", "--yes", *at) == {"deleted": "ann@example.com"}
    assert answer("emails", "list", *at) == {"emails": []}


def test_the_default_service_is_taken_when_none_is_named(answer: Answer, emulator: Caller) -> None:
    answer("emails", "create", "bo@example.com", "--number", "+12125550102")
    assert emulator.get(f"/services/{emulator.default_service}/emails").json()["emails"][0]["email"] == "bo@example.com"


def test_an_address_without_number_or_with_unknown_permissions_is_wrong_usage(provider: Bulkfax) -> None:
    assert provider("emails", "create", "ann@example.com").status == 2
    ran = provider("emails", "create", "ann@example.com", "--number", "+12125550100:read")
    assert (ran.status, "both, send, receive" in ran.err) == (2, True)


def test_a_cover_page_is_added_shown_and_deleted(
    provider: Bulkfax, answer: Answer, service: str, page: Path, emulator: Caller
) -> None:
    at = ("--service", service)
    made = answer("cover-pages", "create", "Blue", page, *at)
    assert emulator.sent(serviceId=service, coverPageId=made["id"])["coverPageId"] == made["id"]
    assert answer("cover-pages", "show", made["id"], *at)["name"] == "Blue"
    assert made["id"] in provider("cover-pages", "list", *at).out
    assert provider("cover-pages", "delete", made["id"], *at).status == 1, "deleted unasked"
    assert answer("cover-pages", "delete", made["id"], "--yes", *at) == {"deleted": made["id"]}
    assert answer("cover-pages", "list", *at) == {"coverPages": []}


@pytest.mark.parametrize(("content", "says"), [(None, "cannot be read"), (b"text", "not a PDF")])
def test_a_cover_page_that_cannot_be_used_is_a_sentence(
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
def test_what_is_not_there_is_a_sentence(provider: Bulkfax, words: tuple[str, ...]) -> None:
    ran = provider(*words)
    assert ran.status == 1
    assert ran.err.startswith("error: the provider does not know that")


def test_a_project_without_default_service_is_told_what_to_name(provider: Bulkfax, emulator: Caller) -> None:
    default = emulator.default_service
    emulator.patch(f"/services/{default}", json={"defaultForProject": False})
    try:
        ran = provider("numbers", "list")
        assert (ran.status, "--service" in ran.err) == (1, True)
    finally:
        emulator.patch(f"/services/{default}", json={"defaultForProject": True})
