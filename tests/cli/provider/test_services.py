"""``bulkfax provider services`` against the emulator over HTTP."""

import pytest

from tests.cli.conftest import Bulkfax
from tests.cli.provider.conftest import RunJson
from tests.emulator.emulator_client import EmulatorClient


def test_a_service_is_created_changed_and_deleted(
    provider: Bulkfax, run_json: RunJson, emulator: EmulatorClient
) -> None:
    created = run_json("services", "create", "name=March letters", "resolution=SUPERFINE", "number_of_retries=0")
    assert (created["name"], created["resolution"], created["numberOfRetries"]) == ("March letters", "SUPERFINE", 0)
    changed = run_json("services", "update", created["id"], "save_outbound_fax_documents=no")
    assert (changed["saveOutboundFaxDocuments"], changed["resolution"]) == (False, "SUPERFINE")
    assert run_json("services", "show", created["id"]) == changed
    assert created["id"] in provider("services", "list").out
    assert run_json("services", "delete", created["id"], "--yes") == {"deleted": created["id"]}
    assert emulator.get(f"/services/{created['id']}").status_code == 404


def test_a_setting_without_a_value_is_reset_to_the_providers_default(run_json: RunJson) -> None:
    created = run_json("services", "create", "default_from=+12025550199", "resolution=SUPERFINE")
    changed = run_json("services", "update", created["id"], "default_from=", "resolution=")
    assert ("defaultFrom" in changed, changed["resolution"]) == (False, "FINE")


def test_a_service_shows_its_settings_by_the_names_that_change_them(
    provider: Bulkfax, emulator: EmulatorClient
) -> None:
    shown = provider("services", "show", emulator.default_service).out
    assert "number_of_retries" in shown
    assert "default_for_project" in shown


def test_all_services_are_listed_over_all_pages(run_json: RunJson) -> None:
    created = {run_json("services", "create", f"name=s{n}")["id"] for n in range(3)}
    assert created <= {service["id"] for service in run_json("services", "list")["services"]}


def test_a_service_is_not_deleted_without_confirmation(provider: Bulkfax, emulator: EmulatorClient) -> None:
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
def test_an_invalid_setting_is_wrong_usage(provider: Bulkfax, setting: str, says: str) -> None:
    ran = provider("services", "create", setting)
    assert (ran.status, says in ran.err) == (2, True), ran.err


def test_an_update_of_nothing_is_wrong_usage(provider: Bulkfax, emulator: EmulatorClient) -> None:
    assert provider("services", "update", emulator.default_service).status == 2


def test_a_refusal_of_the_provider_names_the_field(provider: Bulkfax) -> None:
    ran = provider("services", "create", "resolution=LOW")
    assert ran.status == 1
    assert "resolution: must be one of FINE, SUPERFINE" in ran.err


@pytest.mark.parametrize("command", [("show", "nothing"), ("update", "nothing", "name=x"), ("delete", "nothing", "-y")])
def test_an_unknown_service_is_an_error(provider: Bulkfax, command: tuple[str, ...]) -> None:
    ran = provider("services", *command)
    assert ran.status == 1
    assert "There is no service nothing" in ran.err
