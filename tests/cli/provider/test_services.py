"""``bulkfax provider services`` against the emulator over HTTP."""

import pytest

from tests.cli.conftest import Bulkfax
from tests.cli.provider.conftest import Answer
from tests.emulator.caller import Caller


def test_a_service_is_made_changed_and_deleted(provider: Bulkfax, answer: Answer, emulator: Caller) -> None:
    made = answer("services", "create", "name=March letters", "resolution=SUPERFINE", "number_of_retries=0")
    assert (made["name"], made["resolution"], made["numberOfRetries"]) == ("March letters", "SUPERFINE", 0)
    changed = answer("services", "update", made["id"], "save_outbound_fax_documents=no")
    assert (changed["saveOutboundFaxDocuments"], changed["resolution"]) == (False, "SUPERFINE")
    assert answer("services", "show", made["id"]) == changed
    assert made["id"] in provider("services", "list").out
    assert answer("services", "delete", made["id"], "--yes") == {"deleted": made["id"]}
    assert emulator.get(f"/services/{made['id']}").status_code == 404


def test_a_setting_without_value_goes_back_to_the_providers_own(answer: Answer) -> None:
    made = answer("services", "create", "default_from=+12025550199", "resolution=SUPERFINE")
    changed = answer("services", "update", made["id"], "default_from=", "resolution=")
    assert ("defaultFrom" in changed, changed["resolution"]) == (False, "FINE")


def test_a_service_shows_its_settings_by_the_names_that_change_them(provider: Bulkfax, emulator: Caller) -> None:
    shown = provider("services", "show", emulator.default_service).out
    assert "number_of_retries" in shown
    assert "default_for_project" in shown


def test_all_services_are_listed_over_all_pages(answer: Answer) -> None:
    made = {answer("services", "create", f"name=s{n}")["id"] for n in range(3)}
    assert made <= {service["id"] for service in answer("services", "list")["services"]}


def test_a_service_stays_when_nobody_says_yes(provider: Bulkfax, emulator: Caller) -> None:
    assert provider("services", "delete", emulator.default_service).status == 1
    assert emulator.get(f"/services/{emulator.default_service}").status_code == 200


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("colour=red", "there is no setting colour"),
        ("resolution", "NAME=VALUE"),
        ("=FINE", "NAME=VALUE"),
        ("number_of_retries=some", "number_of_retries is a whole number"),
        ("default_for_project=perhaps", "default_for_project is yes or no"),
    ],
)
def test_a_setting_that_is_none_is_wrong_usage(provider: Bulkfax, setting: str, says: str) -> None:
    ran = provider("services", "create", setting)
    assert (ran.status, says in ran.err) == (2, True), ran.err


def test_an_update_of_nothing_is_wrong_usage(provider: Bulkfax, emulator: Caller) -> None:
    assert provider("services", "update", emulator.default_service).status == 2


def test_what_the_provider_refuses_is_said_with_the_field(provider: Bulkfax) -> None:
    ran = provider("services", "create", "resolution=LOW")
    assert ran.status == 1
    assert "resolution: must be one of FINE, SUPERFINE" in ran.err


@pytest.mark.parametrize("command", [("show", "nothing"), ("update", "nothing", "name=x"), ("delete", "nothing", "-y")])
def test_an_unknown_service_is_a_sentence(provider: Bulkfax, command: tuple[str, ...]) -> None:
    ran = provider("services", *command)
    assert ran.status == 1
    assert "There is no service nothing" in ran.err
