"""``bulkfax provider check``: everything that can be wrong, and the free test number."""

import json
import urllib.request
from collections.abc import Iterator

import pytest

from dispatcher.cli.provider.checks import check_callback_url, check_sender, is_local
from dispatcher.local.cluster import LocalCluster
from tests.cli.conftest import Bulkfax, Ran
from tests.emulator.emulator_client import EmulatorClient


def checks(ran: Ran) -> dict[str, bool | None]:
    return {entry["check"]: entry["ok"] for entry in json.loads(ran.last_line)["checks"]}


@pytest.fixture
def sender(emulator: EmulatorClient) -> Iterator[str]:
    """Give the default service a sender number and return it."""
    number, service = "+12125550100", emulator.default_service
    emulator.control("POST", "numbers", json={"phoneNumber": number, "serviceId": service})
    emulator.patch(f"/services/{service}", json={"defaultFrom": number})
    yield number
    emulator.patch(f"/services/{service}", json={"defaultFrom": None})


def test_an_account_that_works_passes_the_check(provider: Bulkfax, sender: str) -> None:
    ran = provider("check", "--json")
    assert (ran.status, checks(ran)) == (
        0,
        {"credentials": True, "service": True, "sender": True, "callback URL": None},
    )
    assert sender in provider("check").out


def test_no_fax_is_sent_without_the_option(provider: Bulkfax, emulator: EmulatorClient) -> None:
    before = emulator.ledger()
    provider("check")
    assert emulator.ledger() == before


def test_the_test_fax_goes_to_the_free_number_and_is_followed_to_its_end(
    provider: Bulkfax, emulator: EmulatorClient
) -> None:
    ran = provider("check", "--test-fax", "--json")
    assert checks(ran)["test fax"] is True, ran.out
    fax = emulator.get(f"/faxes/{emulator.ledger()[-1]['id']}").json()
    assert (fax["to"], fax["status"], fax["price"]["amount"]) == ("+19898989898", "COMPLETED", "0.000")


def test_a_test_fax_that_fails_says_with_what(provider: Bulkfax, emulator: EmulatorClient) -> None:
    emulator.load_scenario('[[numbers]]\nto = "+19898989898"\nrequests = "402"')
    ran = provider("check", "--test-fax", "--json")
    emulator.load_scenario("")
    assert (ran.status, checks(ran)["test fax"]) == (1, False)
    assert "no money" in ran.out


def test_wrong_credentials_end_the_check_of_the_provider(
    provider: Bulkfax, emulator: EmulatorClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = emulator.ledger()
    monkeypatch.setenv("BULKFAX_SINCH__KEY_SECRET", "wrong")
    ran = provider("check", "--test-fax", "--json")
    assert (ran.status, checks(ran)) == (1, {"credentials": False, "callback URL": None})
    assert emulator.ledger() == before


def test_an_unknown_service_is_wrong_and_nothing_is_sent_through_it(provider: Bulkfax) -> None:
    ran = provider("check", "--service", "nothing", "--test-fax", "--json")
    assert (ran.status, checks(ran)) == (1, {"credentials": True, "service": False, "callback URL": None})


@pytest.mark.parametrize(
    ("number", "numbers", "ok"),
    [("", [], None), ("+12125550100", ["+12125550100"], True), ("+12125550101", ["+12125550100"], None)],
)
def test_a_sender_is_sure_only_as_a_number_of_the_service(number: str, numbers: list[str], ok: bool | None) -> None:
    assert check_sender(number, numbers).ok is ok


def test_a_sender_that_is_no_number_is_wrong_usage(provider: Bulkfax) -> None:
    assert provider("check", "--sender", "0212 555").status == 2


def test_the_api_is_recognized_at_its_address(cluster: LocalCluster) -> None:
    result = check_callback_url(cluster.url, cluster.emulator_url)
    assert (result.ok, cluster.url in result.text) == (True, True)


def test_the_check_of_the_callback_url_does_not_count_as_a_callback(cluster: LocalCluster, connected: Bulkfax) -> None:
    def callback_counts() -> list[bytes]:
        with urllib.request.urlopen(f"{cluster.url}/metrics/installation", timeout=10) as metrics:
            return [line for line in metrics if b"callbacks" in line and (b"incoming" in line or b"forged" in line)]

    before = callback_counts()
    assert checks(connected("provider", "check", "--json"))["callback URL"] is True
    assert (callback_counts(), len(before)) == (before, 2)


def test_something_else_at_the_callback_url_is_recognized(emulator: EmulatorClient) -> None:
    result = check_callback_url(emulator.server.url, emulator.server.url)
    assert (result.ok, "something else" in result.text) == (False, True)


def test_a_callback_url_without_a_server_is_wrong(emulator: EmulatorClient) -> None:
    result = check_callback_url("http://127.0.0.1:1", emulator.server.url)
    assert (result.ok, "nothing answers" in result.text) == (False, True)


def test_a_private_callback_address_is_wrong_for_a_provider_elsewhere() -> None:
    result = check_callback_url("http://192.168.1.20:8080", "https://fax.example.com")
    assert (result.ok, "cannot reach it" in result.text) == (False, True)


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("http://localhost:8080", True),
        ("http://127.0.0.1", True),
        ("http://[::1]:8080", True),
        ("https://10.1.2.3", True),
        ("https://fax.example.com", False),
        ("https://8.8.8.8", False),
    ],
)
def test_addresses_of_this_network_are_known(url: str, local: bool) -> None:
    assert is_local(url) is local
