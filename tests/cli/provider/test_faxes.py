"""``bulkfax provider faxes`` against the emulator over HTTP."""

import csv
from pathlib import Path

import pytest

from tests.cli.conftest import Bulkfax
from tests.cli.provider.conftest import RunJson
from tests.emulator.emulator_client import TWO_PAGES, EmulatorClient


@pytest.fixture
def fax(emulator: EmulatorClient) -> str:
    """Send a fax, wait until it is delivered, and return its ID."""
    return str(emulator.wait_until_final(emulator.send_accepted("+12025550101")["id"])["id"])


def ids(run_json: RunJson, *words: object) -> list[str]:
    return [fax["id"] for fax in run_json("faxes", "list", *words)["faxes"]]


def test_the_list_is_a_table_with_whole_ids_and_numbers(provider: Bulkfax, fax: str) -> None:
    ran = provider("faxes", "list")
    assert (ran.status, ran.err) == (0, "")
    (line,) = [line for line in ran.out.splitlines() if fax in line]
    assert line.split()[:4] == [fax, "+12025550101", "COMPLETED", "2/2"]


def test_a_failed_fax_shows_its_error(provider: Bulkfax, emulator: EmulatorClient) -> None:
    emulator.load_scenario('[[numbers]]\nto = "+12025550102"\nattempts = ["busy"]')
    failed = emulator.wait_until_final(emulator.send_accepted("+12025550102", maxRetries=0)["id"])["id"]
    shown = provider("faxes", "list", "--to", "+12025550102").out
    assert ("FAILURE" in shown, "CALL_ERROR 17" in shown) == (True, True)
    assert "CALL_ERROR" in provider("faxes", "show", failed).out


def test_filters_narrow_the_list(run_json: RunJson, emulator: EmulatorClient, fax: str) -> None:
    abroad = emulator.wait_until_final(emulator.send_accepted("+442079460101", **{"from": "+12025550199"})["id"])["id"]
    assert ids(run_json, "--to", "+4420") == [abroad]
    assert ids(run_json, "--sender", "+12025550199") == [abroad]
    assert {abroad, fax} <= set(ids(run_json, "--status", "completed"))
    assert ids(run_json, "--status", "queued") == []
    assert ids(run_json, "--until", "2020-01-01") == []
    assert fax in ids(run_json, "--since", "2020-01-01", "--until", "2099-12-31")


def test_an_inbound_fax_is_listed_only_with_the_option(run_json: RunJson, emulator: EmulatorClient) -> None:
    inbound = emulator.control("POST", "incoming", json={"to": "+12025550100", "from": "+12025550155"}).json()
    assert inbound["id"] not in ids(run_json)
    assert inbound["id"] in ids(run_json, "--direction", "inbound")
    assert inbound["id"] in ids(run_json, "--direction", "both")


def test_a_limit_stops_and_says_that_there_is_more(
    run_json: RunJson, provider: Bulkfax, emulator: EmulatorClient
) -> None:
    for number in range(3):
        emulator.send_accepted(f"+1303555010{number}")
    some = run_json("faxes", "list", "--to", "+1303", "--limit", "2")
    assert (len(some["faxes"]), some["more"]) == (2, True)
    assert run_json("faxes", "list", "--to", "+1303", "--limit", "3")["more"] is False
    assert "more than 2" in provider("faxes", "list", "--to", "+1303", "--limit", "2").err


def test_an_empty_list_names_its_period(provider: Bulkfax) -> None:
    assert "seven days" in provider("faxes", "list", "--to", "+1999").err


def test_show_prints_the_fields_of_the_provider_under_its_names(
    run_json: RunJson, emulator: EmulatorClient, fax: str
) -> None:
    shown = run_json("faxes", "show", fax)
    fax_at_provider = emulator.get(f"/faxes/{fax}").json()
    assert {name: shown[name] for name in ("id", "to", "status", "numberOfPages", "createTime", "price")} == {
        name: fax_at_provider[name] for name in ("id", "to", "status", "numberOfPages", "createTime", "price")
    }


def test_download_writes_the_pdf_and_overwrites_a_file_only_with_the_option(provider: Bulkfax, fax: str) -> None:
    ran = provider("faxes", "download", fax)
    assert ran.status == 0, ran.err
    assert Path(f"{fax}.pdf").read_bytes() == TWO_PAGES
    again = provider("faxes", "download", fax)
    assert (again.status, "--force" in again.err) == (1, True)
    assert provider("faxes", "download", fax, "--force").status == 0
    assert provider("faxes", "download", fax, "--output", "other.pdf").status == 0
    assert Path("other.pdf").read_bytes() == Path(f"{fax}.pdf").read_bytes()


@pytest.mark.parametrize("id_", ["../up", "/tmp/away", "..", "a/b", "a\\b", "x" * 201, "a\x1b[2J", ".hidden"])
def test_no_id_names_a_file_of_another_folder(provider: Bulkfax, id_: str) -> None:
    ran = provider("faxes", "download", "--", id_)
    assert (ran.status, "--output" in ran.err) == (2, True)
    assert not list(Path().iterdir())


def test_deleted_content_cannot_be_downloaded_and_its_record_stays(
    provider: Bulkfax, run_json: RunJson, fax: str
) -> None:
    assert run_json("faxes", "delete-content", fax, "--yes") == {"deleted": fax}
    ran = provider("faxes", "download", fax)
    assert (ran.status, ran.err) == (
        1,
        f"error: the provider holds no content of {fax}: deleted, not there yet, or never saved\n",
    )
    assert not list(Path().iterdir()), "an incomplete file remains"
    assert run_json("faxes", "show", fax)["hasFile"] is False


def test_content_is_not_deleted_without_confirmation(provider: Bulkfax, run_json: RunJson, fax: str) -> None:
    assert provider("faxes", "delete-content", fax).status == 1
    assert run_json("faxes", "show", fax)["hasFile"] is True


def test_export_writes_the_providers_csv_of_what_matches(run_json: RunJson, emulator: EmulatorClient) -> None:
    fax_id = emulator.send_accepted("+13125550101")["id"]
    written = run_json("faxes", "export", "some.csv", "--to", "+1312")
    lines = list(csv.DictReader(Path("some.csv").read_text().splitlines()))
    assert [line["Id"] for line in lines] == [fax_id]
    assert written == {"file": "some.csv", "bytes": Path("some.csv").stat().st_size}


@pytest.mark.parametrize("command", [("show", "nothing"), ("download", "nothing"), ("delete-content", "nothing", "-y")])
def test_an_unknown_fax_is_an_error(provider: Bulkfax, command: tuple[str, ...]) -> None:
    ran = provider("faxes", *command)
    assert ran.status == 1
    assert ran.err.startswith("error: the provider does not know that (There is no such fax)")


def test_a_path_that_cannot_be_written_is_an_error(provider: Bulkfax) -> None:
    ran = provider("faxes", "export", "no/such/folder/faxes.csv")
    assert ran.status == 1
    assert ran.err.startswith("error: cannot write no/such/folder/")


@pytest.mark.parametrize("option", [("--status", "SENT"), ("--direction", "up"), ("--since", "soon"), ("--limit", "0")])
def test_an_invalid_filter_is_wrong_usage(provider: Bulkfax, option: tuple[str, str]) -> None:
    assert provider("faxes", "list", *option).status == 2
